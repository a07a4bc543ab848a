import { defineEvent } from '../define';
import { Currency, Flag, Instant, Minor, Optional, Text, Uuid } from '../fields';
import { TOPICS } from '../topics';

/** A conversion was taken back, wholly or in part. It may come before the conversion that it names. */
export class ReversalReceivedData {
  @Uuid() tenantId!: string;
  @Uuid() reversalId!: string;
  /** The external id of the conversion that is taken back. */
  @Text(255) externalId!: string;
  /** The advertiser's own id of the refund; absent for a whole reversal, which needs none. */
  @Optional() @Text(255) externalReversalId?: string | null;
  /** What is taken back, in minor units of the conversion's currency; absent: all that is left. */
  @Optional() @Minor(1) amountMinor?: number | null;
  @Optional() @Currency() currency?: string | null;
  @Optional() @Text(200) reason?: string | null;
  @Instant() occurredAt!: string;
  @Instant() receivedAt!: string;
  @Uuid() receiptId!: string;
  @Flag() test!: boolean;
}

export const ReversalReceived = defineEvent<ReversalReceivedData>({
  type: 'reversal.received',
  version: 1,
  topic: TOPICS.reversals,
  schema: ReversalReceivedData,
  keyOf: (d) => `${d.tenantId}:${d.externalId}`,
  idOf: (d) => d.reversalId,
  timeOf: (d) => d.occurredAt,
  sample: {
    tenantId: '11111111-1111-4111-8111-111111111111',
    reversalId: '88888888-8888-8888-8888-888888888888',
    externalId: 'order-1001',
    externalReversalId: 'refund-1',
    amountMinor: 2_000,
    currency: 'EUR',
    reason: 'item returned',
    occurredAt: '2026-02-02T09:00:00.000Z',
    receivedAt: '2026-02-02T09:00:00.500Z',
    receiptId: '99999999-9999-4999-8999-999999999999',
    test: false,
  },
});
