import { defineEvent } from '../define';
import { Flag, Instant, Text, Uuid } from '../fields';
import { TOPICS } from '../topics';

/** A conversion that was told of as `pendingVerification` is one indeed. It may come before the conversion that it names; each has at most one. */
export class ConversionVerifiedData {
  @Uuid() tenantId!: string;
  @Uuid() verificationId!: string;
  @Uuid() conversionId!: string;
  /** The conversion's, as the advertiser named it. */
  @Text(255) externalId!: string;
  @Instant() occurredAt!: string;
  @Instant() receivedAt!: string;
  @Uuid() receiptId!: string;
  /** From a test-mode key: it verifies test-mode conversions alone. */
  @Flag() test!: boolean;
}

export const ConversionVerified = defineEvent<ConversionVerifiedData>({
  type: 'conversion.verified',
  version: 1,
  topic: TOPICS.conversions,
  schema: ConversionVerifiedData,
  keyOf: (d) => d.conversionId,
  idOf: (d) => d.verificationId,
  timeOf: (d) => d.occurredAt,
  sample: {
    tenantId: '11111111-1111-4111-8111-111111111111',
    verificationId: 'aaaaaaaa-aaaa-8aaa-8aaa-aaaaaaaaaaaa',
    conversionId: '66666666-6666-8666-8666-666666666666',
    externalId: 'signup-1001',
    occurredAt: '2026-02-01T08:30:00.000Z',
    receivedAt: '2026-02-01T08:30:00.400Z',
    receiptId: '77777777-7777-4777-8777-777777777777',
    test: false,
  },
});
