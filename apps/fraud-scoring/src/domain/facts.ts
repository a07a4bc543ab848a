import type { AttributionRevisedData, Credit, FraudReason } from '@baton/contracts';

/** How many clicks, counted as a set of click ids in event time, came from the credited click's address and network up to that click. */
export interface ClickCounts {
  readonly sameAddress: number;
  readonly sameNetwork: number;
}

/** What a rule may look at. */
export interface Facts {
  readonly attribution: AttributionRevisedData;
  /** The credit that is judged; absent where nobody is credited. */
  readonly credit: Credit | undefined;
  readonly counts: ClickCounts;
}

/** One rule, one file. It says what it saw, in points and in words, or nothing. */
export interface Rule {
  readonly name: string;
  /** Rises when the rule's meaning or numbers change: the reason names it. */
  readonly version: number;
  readonly judge: (facts: Facts) => Pick<FraudReason, 'points' | 'detail'> | null;
}

/** Clicks are counted in this window, which ends with the credited click. */
export const BURST_WINDOW_MS = 10 * 60_000;

/** Beyond this a count says no more. */
export const COUNT_MAX = 1_000;

/**
 * What is known of one credited click from two counts of it. Clicks are only ever added, so the larger one is the later one; the smaller was
 * made before some of them arrived, or after their months were dropped.
 */
export const laterCounts = (a: ClickCounts, b: ClickCounts): ClickCounts => ({
  sameAddress: Math.max(a.sameAddress, b.sameAddress),
  sameNetwork: Math.max(a.sameNetwork, b.sameNetwork),
});

export const sameCounts = (a: ClickCounts, b: ClickCounts | undefined): boolean =>
  a.sameAddress === b?.sameAddress && a.sameNetwork === b.sameNetwork;
