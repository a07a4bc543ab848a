import { defineEvent } from '../define';
import { ClickIdText, Currency, Instant, OneOf, Optional, Text, Uuid, Whole, Minor } from '../fields';
import { TOPICS } from '../topics';

export const REWARD_STATES = ['held', 'payable', 'sending', 'unknown', 'review', 'paid', 'voided', 'clawed_back'] as const;
export type RewardState = (typeof REWARD_STATES)[number];

/** A reward as it stands after a change. The highest sequence wins. */
export class RewardChangedData {
  @Uuid() tenantId!: string;
  @Uuid() rewardId!: string;
  @Whole(1, 2_147_483_647) sequence!: number;
  @Uuid() conversionId!: string;
  @Uuid() programId!: string;
  @Uuid() partnerId!: string;
  @Uuid() planId!: string;
  @Whole(1, 2_147_483_647) planVersion!: number;
  @OneOf(['partner', 'referred']) beneficiary!: 'partner' | 'referred';
  @OneOf(REWARD_STATES) state!: RewardState;
  /** What the reward is worth now. */
  @Minor() amountMinor!: number;
  @Currency() currency!: string;
  /** Nothing is payable before. */
  @Instant() holdUntil!: string;
  @Optional() @ClickIdText() clickId?: string | null;
  @Whole(1, 2_147_483_647) attributionRevision!: number;
  @Whole(1, 2_147_483_647) verdictSeq!: number;
  /** Why it changed: accrued, revised, refunded, rejected, released, … */
  @Text(64) reason!: string;
  @Instant() changedAt!: string;
}

export const RewardChanged = defineEvent<RewardChangedData>({
  type: 'reward.changed',
  version: 1,
  topic: TOPICS.rewards,
  schema: RewardChangedData,
  keyOf: (d) => d.rewardId,
  idOf: (d) => `${d.rewardId}:${d.sequence}`,
  timeOf: (d) => d.changedAt,
  sample: {
    tenantId: '11111111-1111-4111-8111-111111111111',
    rewardId: 'cccccccc-cccc-8ccc-8ccc-cccccccccccc',
    sequence: 1,
    conversionId: '66666666-6666-8666-8666-666666666666',
    programId: '22222222-2222-4222-8222-222222222222',
    partnerId: '33333333-3333-4333-8333-333333333333',
    planId: 'dddddddd-dddd-4ddd-8ddd-dddddddddddd',
    planVersion: 1,
    beneficiary: 'partner',
    state: 'held',
    amountMinor: 1_000,
    currency: 'EUR',
    holdUntil: '2026-03-02T12:05:00.000Z',
    clickId: 'EQAAAAABAZwT7J4AAAAAAXz1bjrKrKhK',
    attributionRevision: 1,
    verdictSeq: 1,
    reason: 'accrued',
    changedAt: '2026-02-02T09:00:03.000Z',
  },
});
