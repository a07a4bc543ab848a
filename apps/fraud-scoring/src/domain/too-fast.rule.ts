import type { ConversionType } from '@baton/contracts';
import type { Rule } from './facts';

/** Between a click and this type of conversion lies at least a page to read and a form to fill. */
const AT_LEAST_MS: Record<ConversionType, number> = { sale: 2_000, subscription_payment: 2_000, signup: 1_000, lead: 1_000, custom: 1_000 };

export const tooFast: Rule = {
  name: 'too-fast',
  version: 1,
  judge: ({ attribution, credit }) => {
    if (!credit) return null;
    const ageMs = Date.parse(attribution.conversion.occurredAt) - Date.parse(credit.occurredAt);
    const leastMs = AT_LEAST_MS[attribution.conversion.type];
    // A click after the conversion is the advertiser's clock being behind, which the program's skew allows: it tells nothing of speed.
    if (ageMs < 0 || ageMs >= leastMs) return null;
    return { points: 50, detail: { seconds_after_click: (ageMs / 1000).toFixed(3), at_least_seconds: (leastMs / 1000).toFixed(3) } };
  },
};
