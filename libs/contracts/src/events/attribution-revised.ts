import { defineEvent } from '../define';
import {
  ClickIdText,
  Currency,
  Flag,
  Instant,
  ListOf,
  Minor,
  Nested,
  OneOf,
  Optional,
  Pattern,
  Text,
  TextList,
  TextMap,
  Uuid,
  Whole,
} from '../fields';
import { TOPICS } from '../topics';
import { CONVERSION_TYPES, type ConversionType } from './shared';

export const ATTRIBUTION_OUTCOMES = ['attributed', 'pending', 'unattributed'] as const;
/** Why an attribution is what it is; also why a candidate lost. */
export const ATTRIBUTION_REASONS = [
  'credited',
  'awaiting_touch',
  'awaiting_catalog',
  'no_touch',
  'click_forged',
  'outside_window',
  'after_conversion',
  'not_countable',
  'other_program',
  'later_touch_won',
  'named_click_won',
  'program_unknown',
] as const;
/** What came to be said after that list was published; a published list never grows. */
export const ATTRIBUTION_FINER_REASONS = ['awaiting_verification'] as const;
export type AttributionFinerReason = (typeof ATTRIBUTION_FINER_REASONS)[number];
export type AttributionReason = (typeof ATTRIBUTION_REASONS)[number];
/** How a touch was tied to the conversion, strongest first. */
export const EVIDENCE_KINDS = ['click_id', 'customer_id', 'identity'] as const;

export class AppliedReversal {
  @Uuid() reversalId!: string;
  /** What it took back in the end: never more than was left. */
  @Minor() amountMinor!: number;
  @Instant() occurredAt!: string;
}

export class AttributedConversion {
  @Text(255) externalId!: string;
  @Uuid() receiptId!: string;
  @OneOf(CONVERSION_TYPES) type!: ConversionType;
  @Minor() amountMinor!: number;
  /** Gross less all reversals; never negative. */
  @Minor() netAmountMinor!: number;
  @Currency() currency!: string;
  @Instant() occurredAt!: string;
  @Flag() test!: boolean;
  @ListOf(() => AppliedReversal, 1000) reversals!: AppliedReversal[];
  @TextList(8, 64) droppedEvidence!: string[];
}

export class Credit {
  @ClickIdText() clickId!: string;
  @Uuid() linkId!: string;
  @Uuid() programId!: string;
  @Uuid() partnerId!: string;
  /** The share of the conversion, an exact fraction. */
  @Whole(1, 1_000_000_000) shareNumerator!: number;
  @Whole(1, 1_000_000_000) shareDenominator!: number;
  @OneOf(EVIDENCE_KINDS) evidence!: (typeof EVIDENCE_KINDS)[number];
  @Instant() occurredAt!: string;
  /** False while only the signed id is known: the click's record has not arrived. */
  @Flag() recorded!: boolean;
  @TextMap(20, 255) subIds!: Record<string, string>;
  @Optional() @Pattern(/^[0-9a-f.:]{2,43}\/\d{1,3}$/) network?: string | null;
  @Optional() @Text(64) addressHash?: string | null;
  @Optional() @Pattern(/^[A-Z]{2}$/) country?: string | null;
}

export class LostCandidate {
  @ClickIdText() clickId!: string;
  @Optional() @Uuid() partnerId?: string | null;
  @OneOf(ATTRIBUTION_REASONS) reason!: AttributionReason;
}

export class AppliedModel {
  @OneOf(['last_touch']) name!: 'last_touch';
  @Whole(1, 1000) version!: number;
  @Whole(0, 1_000_000_000_000) windowMs!: number;
  @Whole(0, 86_400_000) clockSkewMs!: number;
  /** The version of the program whose terms were applied. */
  @Whole(1, 2_147_483_647) programVersion!: number;
}

/** Who earned a conversion, as far as is known: the full state, never a delta. The highest revision wins. */
export class AttributionRevisedData {
  @Uuid() tenantId!: string;
  @Uuid() conversionId!: string;
  @Whole(1, 2_147_483_647) revision!: number;
  @Optional() @Uuid() programId?: string | null;
  @Nested(() => AttributedConversion) conversion!: AttributedConversion;
  @OneOf(ATTRIBUTION_OUTCOMES) outcome!: (typeof ATTRIBUTION_OUTCOMES)[number];
  @OneOf(ATTRIBUTION_REASONS) reason!: AttributionReason;
  /** Says more exactly than `reason`: one of ATTRIBUTION_FINER_REASONS, and others later. */
  @Optional() @Text(64) finerReason?: string | null;
  @Optional() @Nested(() => AppliedModel) model?: AppliedModel | null;
  /** Shares sum to one where the outcome is attributed, else empty. */
  @ListOf(() => Credit, 100) credits!: Credit[];
  /** The newest losers, at most 20. */
  @ListOf(() => LostCandidate, 20) lost!: LostCandidate[];
  @Instant() decidedAt!: string;
}

export const AttributionRevised = defineEvent<AttributionRevisedData>({
  type: 'attribution.revised',
  version: 1,
  topic: TOPICS.attributions,
  schema: AttributionRevisedData,
  keyOf: (d) => d.conversionId,
  idOf: (d) => `${d.conversionId}:${d.revision}`,
  timeOf: (d) => d.decidedAt,
  sample: {
    tenantId: '11111111-1111-4111-8111-111111111111',
    conversionId: '66666666-6666-8666-8666-666666666666',
    revision: 1,
    programId: '22222222-2222-4222-8222-222222222222',
    conversion: {
      externalId: 'order-1001',
      receiptId: '77777777-7777-4777-8777-777777777777',
      type: 'sale',
      amountMinor: 12_000,
      netAmountMinor: 10_000,
      currency: 'EUR',
      occurredAt: '2026-01-31T12:05:00.000Z',
      test: false,
      reversals: [{ reversalId: '88888888-8888-8888-8888-888888888888', amountMinor: 2_000, occurredAt: '2026-02-02T09:00:00.000Z' }],
      droppedEvidence: [],
    },
    outcome: 'attributed',
    reason: 'credited',
    model: { name: 'last_touch', version: 1, windowMs: 2_592_000_000, clockSkewMs: 300_000, programVersion: 1 },
    credits: [
      {
        clickId: 'EQAAAAABAZwT7J4AAAAAAXz1bjrKrKhK',
        linkId: '44444444-4444-4444-8444-444444444444',
        programId: '22222222-2222-4222-8222-222222222222',
        partnerId: '33333333-3333-4333-8333-333333333333',
        shareNumerator: 1,
        shareDenominator: 1,
        evidence: 'click_id',
        occurredAt: '2026-01-31T12:00:00.000Z',
        recorded: true,
        subIds: { sid: 'newsletter' },
        network: '203.0.113.0/24',
        addressHash: 'b7f1c2',
      },
    ],
    lost: [],
    decidedAt: '2026-02-02T09:00:01.000Z',
  },
});
