import { defineEvent } from '../define';
import { CONVERSION_TYPES } from '../events/shared';
import { Currency, Instant, Minor, OneOf, Optional, TextList, Text, Uuid, Whole } from '../fields';
import { TOPICS } from '../topics';
import { Entity, entityId, termsKey } from './entity';

/** One version of a reward plan. The version in force at a conversion's `occurredAt` applies. */
export class PlanData extends Entity {
  @Uuid() programId!: string;
  @Text(200) name!: string;
  @Instant() validFrom!: string;
  @OneOf(['flat', 'percentage']) kind!: 'flat' | 'percentage';
  /** flat: minor units of `currency`, for one unrefunded conversion. */
  @Optional() @Minor(1) amountMinor?: number | null;
  @Optional() @Currency() currency?: string | null;
  /** percentage: hundredths of a percent of the net amount, rounded half up; 1,000 is 10 %. */
  @Optional() @Whole(1, 10_000) basisPoints?: number | null;
  /** Empty: every type of conversion. */
  @TextList(CONVERSION_TYPES.length, 32) conversionTypes!: string[];
}

export const PlanChanged = defineEvent<PlanData>({
  type: 'catalog.plan',
  version: 1,
  topic: TOPICS.catalog,
  schema: PlanData,
  keyOf: termsKey('plan'),
  idOf: entityId('plan'),
  timeOf: (d) => d.changedAt,
  sample: {
    tenantId: '11111111-1111-4111-8111-111111111111',
    id: 'dddddddd-dddd-4ddd-8ddd-dddddddddddd',
    version: 1,
    state: 'active',
    changedAt: '2026-01-01T00:00:00.000Z',
    catalogVersion: 1,
    programId: '22222222-2222-4222-8222-222222222222',
    name: 'Ten percent of a sale',
    validFrom: '2026-01-01T00:00:00.000Z',
    kind: 'percentage',
    basisPoints: 1_000,
    conversionTypes: ['sale'],
  },
});
