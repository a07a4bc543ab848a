import type { RewardState } from '@baton/contracts';

/** A reward as it is stored. Amounts in minor units. */
export interface Reward {
  readonly rewardId: string;
  /** Counts changes from 1. */
  readonly sequence: number;
  readonly programId: string;
  readonly partnerId: string;
  readonly planId: string;
  readonly planVersion: number;
  readonly beneficiary: 'partner' | 'referred';
  readonly state: RewardState;
  readonly amountMinor: number;
  readonly currency: string;
  readonly holdUntilMs: number;
  readonly clickId: string | null;
  readonly attributionRevision: number;
  readonly verdictSeq: number;
}

/** The two accounts of a partner that an unpaid reward can lie in. */
export type Bucket = 'held' | 'payable';

/** What the ledger holds for a reward: the fold of its entries. */
export interface Holding {
  readonly rewardId: string;
  readonly bucket: Bucket;
  readonly currency: string;
  readonly amountMinor: number;
}

/** One line of a posting. Positive: the account is owed more; negative: less. A program's expense is negative: what it has spent. */
export interface Entry {
  readonly account: string;
  readonly currency: string;
  readonly amountMinor: number;
}

/** A reward after a change, why it changed, and what is posted for it: entries sum to zero in each currency; none where no money moves. */
export interface Change {
  readonly reward: Reward;
  readonly reason: string;
  readonly entries: readonly Entry[];
}

export const expenseAccount = (programId: string): string => `program:${programId}:expense`;
export const partnerAccount = (partnerId: string, bucket: Bucket | 'paid' | 'clawback'): string => `partner:${partnerId}:${bucket}`;
