import type { Rule } from './facts';

/** One person at one address does not follow a partner's links this often within ten minutes. */
const SAME_ADDRESS_MIN = 20;
/** An office or a school behind one network does more: only far more than that speaks against a click. */
const SAME_NETWORK_MIN = 300;

export const clickBurst: Rule = {
  name: 'click-burst',
  version: 1,
  judge: ({ credit, counts }) => {
    if (!credit) return null;
    const byAddress = counts.sameAddress >= SAME_ADDRESS_MIN;
    const byNetwork = counts.sameNetwork >= SAME_NETWORK_MIN;
    if (!byAddress && !byNetwork) return null;
    return {
      points: 50,
      detail: {
        same_address: String(counts.sameAddress),
        same_network: String(counts.sameNetwork),
        window_minutes: '10',
        at_least: byAddress ? String(SAME_ADDRESS_MIN) : String(SAME_NETWORK_MIN),
      },
    };
  },
};
