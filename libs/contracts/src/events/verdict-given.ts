import { defineEvent } from '../define';
import { Instant, ListOf, Nested, OneOf, Pattern, TextMap, Uuid, Whole } from '../fields';
import { TOPICS } from '../topics';
import { AttributionRevised, AttributionRevisedData } from './attribution-revised';

export const DECISIONS = ['approved', 'held', 'rejected'] as const;
export type Decision = (typeof DECISIONS)[number];

export class FraudReason {
  @Pattern(/^[a-z][a-z0-9-]{1,63}$/) rule!: string;
  @Whole(1, 1000) ruleVersion!: number;
  @Whole(0, 1000) points!: number;
  /** What the rule saw, for people. */
  @TextMap(16, 255) detail!: Record<string, string>;
}

/** Whether a revision of an attribution can be trusted. The highest (attributionRevision, verdictSeq) wins. */
export class VerdictGivenData {
  @Uuid() tenantId!: string;
  @Uuid() conversionId!: string;
  @Whole(1, 2_147_483_647) attributionRevision!: number;
  /** Counts verdicts on one revision from 1. */
  @Whole(1, 2_147_483_647) verdictSeq!: number;
  @OneOf(DECISIONS) decision!: Decision;
  /** The sum of the reasons' points. */
  @Whole(0, 100_000) score!: number;
  @ListOf(() => FraudReason, 50) reasons!: FraudReason[];
  @Nested(() => AttributionRevisedData) attribution!: AttributionRevisedData;
  @Instant() decidedAt!: string;
}

export const VerdictGiven = defineEvent<VerdictGivenData>({
  type: 'verdict.given',
  version: 1,
  topic: TOPICS.verdicts,
  schema: VerdictGivenData,
  keyOf: (d) => d.conversionId,
  idOf: (d) => `${d.conversionId}:${d.attributionRevision}:${d.verdictSeq}`,
  timeOf: (d) => d.decidedAt,
  sample: {
    tenantId: AttributionRevised.sample.tenantId,
    conversionId: AttributionRevised.sample.conversionId,
    attributionRevision: 1,
    verdictSeq: 1,
    decision: 'approved',
    score: 0,
    reasons: [],
    attribution: AttributionRevised.sample,
    decidedAt: '2026-02-02T09:00:02.000Z',
  },
});
