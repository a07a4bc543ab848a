import { BURST_WINDOW_MS } from './facts';

export interface SeenClick {
  readonly tenantId: string;
  readonly addressHash?: string | null;
  readonly network?: string | null;
  readonly occurredAt: string;
}

/** When a click of an address or network would be credited, for new clicks to be counted with it: from `fromMs`, before `toMs`. */
export interface Span {
  readonly tenantId: string;
  readonly addressHash: string | null;
  readonly network: string | null;
  readonly fromMs: number;
  readonly toMs: number;
}

/** The spans of all these clicks; those of one address that overlap are one: a burst asks once for the judgements it touches, not once a click. */
export function spansOf(clicks: readonly SeenClick[]): Span[] {
  const keyed = clicks.flatMap(({ tenantId, addressHash, network, occurredAt }) => {
    const fromMs = Date.parse(occurredAt);
    const at = { tenantId, addressHash: null, network: null, fromMs, toMs: fromMs + BURST_WINDOW_MS };
    return [...(addressHash ? [{ ...at, addressHash }] : []), ...(network ? [{ ...at, network }] : [])];
  });
  const open = new Map<string, Span>();
  const closed: Span[] = [];
  for (const span of keyed.sort((a, b) => a.fromMs - b.fromMs)) {
    const key = JSON.stringify([span.tenantId, span.addressHash, span.network]);
    const before = open.get(key);
    if (before && span.fromMs <= before.toMs) open.set(key, { ...before, toMs: span.toMs });
    else {
      if (before) closed.push(before);
      open.set(key, span);
    }
  }
  return [...closed, ...open.values()];
}
