import { defineEvent } from '../define';
import { Instant, Pattern, Uuid, Whole } from '../fields';
import { TOPICS } from '../topics';

/** How many clicks one process has counted of a link with a cap. The sum over processes is the link's count. */
export class ClicksCountedData {
  @Uuid() tenantId!: string;
  /** Another for each process: what a former one counted stays part of the sum. */
  @Pattern(/^[a-z0-9-]{1,64}$/) replicaId!: string;
  @Whole(1, 2 ** 40 - 1) linkNumber!: number;
  /** Never falls. */
  @Whole(0, Number.MAX_SAFE_INTEGER) count!: number;
  @Instant() changedAt!: string;
}

/** A replica of the click edge counted clicks of a link with a cap. */
export const ClicksCounted = defineEvent<ClicksCountedData>({
  type: 'clicks.counted',
  version: 1,
  topic: TOPICS.clickCounts,
  schema: ClicksCountedData,
  keyOf: (d) => `${d.replicaId}:${d.linkNumber}`,
  idOf: (d) => `${d.replicaId}:${d.linkNumber}:${d.count}`,
  timeOf: (d) => d.changedAt,
  sample: {
    tenantId: '11111111-1111-4111-8111-111111111111',
    replicaId: 'edge-0',
    linkNumber: 1,
    count: 12,
    changedAt: '2026-01-31T12:00:00.000Z',
  },
});
