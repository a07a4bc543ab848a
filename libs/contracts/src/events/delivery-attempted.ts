import { defineEvent } from '../define';
import { Instant, OneOf, Optional, Text, Uuid, Whole } from '../fields';
import { TOPICS } from '../topics';

/** One attempt to deliver an event to an endpoint ended. */
export class DeliveryAttemptedData {
  @Uuid() tenantId!: string;
  @Uuid() endpointId!: string;
  @Uuid() deliveryId!: string;
  @Whole(1, 1000) attempt!: number;
  /** ce_id of what was delivered. */
  @Text(255) eventId!: string;
  @OneOf(['delivered', 'failed', 'given_up']) outcome!: 'delivered' | 'failed' | 'given_up';
  @Optional() @Whole(100, 599) status?: number | null;
  @Optional() @Text(255) reason?: string | null;
  @Instant() attemptedAt!: string;
}

export const DeliveryAttempted = defineEvent<DeliveryAttemptedData>({
  type: 'delivery.attempted',
  version: 1,
  topic: TOPICS.deliveries,
  schema: DeliveryAttemptedData,
  keyOf: (d) => d.endpointId,
  idOf: (d) => `${d.deliveryId}:${d.attempt}`,
  timeOf: (d) => d.attemptedAt,
  sample: {
    tenantId: '11111111-1111-4111-8111-111111111111',
    endpointId: 'eeeeeeee-eeee-4eee-8eee-eeeeeeeeeeee',
    deliveryId: 'ffffffff-ffff-4fff-8fff-ffffffffffff',
    attempt: 1,
    eventId: 'cccccccc-cccc-8ccc-8ccc-cccccccccccc:1',
    outcome: 'delivered',
    status: 204,
    attemptedAt: '2026-02-02T09:00:04.000Z',
  },
});
