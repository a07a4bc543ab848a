import { defineEvent } from '../define';
import { ClickIdText, Currency, Flag, Instant, ListOf, Minor, OneOf, Optional, Text, TextList, TextMap, Uuid, Whole } from '../fields';
import { TOPICS } from '../topics';
import { CONVERSION_TYPES, type ConversionType, SealedField } from './shared';

export class LineItem {
  @Optional() @Text(128) sku?: string | null;
  @Optional() @Text(128) category?: string | null;
  @Whole(1, 1_000_000) quantity!: number;
  @Minor() amountMinor!: number;
}

/** The advertiser's server told us of a conversion, and it was accepted. */
export class ConversionReceivedData {
  @Uuid() tenantId!: string;
  @Uuid() conversionId!: string;
  /** The advertiser's own id, unique in the tenant. */
  @Text(255) externalId!: string;
  /** Named by the caller, else by the click id's link, else the tenant's only program; absent when none of these told. */
  @Optional() @Uuid() programId?: string | null;
  @OneOf(CONVERSION_TYPES) type!: ConversionType;
  /** Gross, in minor units of the currency. */
  @Minor() amountMinor!: number;
  @Currency() currency!: string;
  @Optional() @Whole(1, 1_000_000) quantity?: number | null;
  @Optional() @ListOf(() => LineItem, 100) lineItems?: LineItem[] | null;
  @Instant() occurredAt!: string;
  @Instant() receivedAt!: string;
  @Uuid() receiptId!: string;
  /** Verified; a forged one is left out and named in `droppedEvidence`. */
  @Optional() @ClickIdText() clickId?: string | null;
  @Optional() @Text(255) customerId?: string | null;
  /** HMAC under the tenant's key. */
  @Optional() @Text(64) emailHash?: string | null;
  @Optional() @Text(64) visitorId?: string | null;
  @Optional() @Text(128) couponCode?: string | null;
  @Optional() @Text(128) referralCode?: string | null;
  @TextMap(20, 255) subIds!: Record<string, string>;
  @TextMap(25, 500) metadata!: Record<string, string>;
  /** Reason codes of evidence that was not believed, such as click_forged. */
  @TextList(8, 64) droppedEvidence!: string[];
  /** From a test-mode key: does everything and never reaches money. */
  @Flag() test!: boolean;
  /** The order that it belongs to, where one order has several conversions. */
  @Optional() @Text(255) orderId?: string | null;
  /** What the advertiser calls it, such as `trial_started`. */
  @Optional() @Text(128) event?: string | null;
  /** Worth nothing until `conversion.verified` comes. */
  @Optional() @Flag() pendingVerification?: boolean | null;
  /** How many customers referred one another up to this one; 0: a partner's own link. Absent where that was not known at receipt. */
  @Optional() @Whole(0, 1_000) referralDepth?: number | null;
  @Optional() @ListOf(() => SealedField, 8) personal?: SealedField[] | null;
}

export const ConversionReceived = defineEvent<ConversionReceivedData>({
  type: 'conversion.received',
  version: 1,
  topic: TOPICS.conversions,
  schema: ConversionReceivedData,
  keyOf: (d) => d.conversionId,
  idOf: (d) => d.conversionId,
  timeOf: (d) => d.occurredAt,
  sample: {
    tenantId: '11111111-1111-4111-8111-111111111111',
    conversionId: '66666666-6666-8666-8666-666666666666',
    externalId: 'order-1001',
    programId: '22222222-2222-4222-8222-222222222222',
    type: 'sale',
    amountMinor: 12_000,
    currency: 'EUR',
    occurredAt: '2026-01-31T12:05:00.000Z',
    receivedAt: '2026-01-31T12:05:01.120Z',
    receiptId: '77777777-7777-4777-8777-777777777777',
    clickId: 'EQAAAAABAZwT7J4AAAAAAXz1bjrKrKhK',
    customerId: 'customer-17',
    subIds: {},
    metadata: { plan: 'pro' },
    droppedEvidence: [],
    test: false,
  },
});
