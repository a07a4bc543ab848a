import type { AppliedReversal } from '@baton/contracts';
import type { Conversion, Reversal } from './facts';

/** As many as one event may list; what lies beyond still counts in the net amount. */
const LISTED_MAX = 1_000;

export interface Net {
  /** Gross less all reversals, never negative. */
  readonly netAmountMinor: number;
  readonly reversals: AppliedReversal[];
}

/**
 * Applies reversals in the order of (occurredAt, id), whatever order they came in. Each takes what it names, and never more than is
 * left; a whole one takes all that is left. One in another currency, or a test one on a live conversion, is listed and takes nothing.
 */
export function netOf(conversion: Conversion, reversals: readonly Reversal[]): Net {
  let leftMinor = conversion.amountMinor;
  const applied = [...reversals].sort(byTime).map((reversal) => {
    const amountMinor = applies(conversion, reversal) ? Math.min(reversal.amountMinor ?? leftMinor, leftMinor) : 0;
    leftMinor -= amountMinor;
    return { reversalId: reversal.reversalId, amountMinor, occurredAt: new Date(reversal.occurredAtMs).toISOString() };
  });
  return { netAmountMinor: leftMinor, reversals: applied.slice(0, LISTED_MAX) };
}

const applies = (conversion: Conversion, reversal: Reversal): boolean =>
  reversal.test === conversion.test && (reversal.currency === null || reversal.currency === conversion.currency);

const byTime = (a: Reversal, b: Reversal): number => a.occurredAtMs - b.occurredAtMs || (a.reversalId < b.reversalId ? -1 : 1);
