import { defineEvent } from '../define';
import { Minor, Optional, Text, Whole } from '../fields';
import { TOPICS } from '../topics';
import { Entity, entityId, entityKey } from './entity';

export class TenantEntity extends Entity {
  @Text(200) name!: string;
  /** Most conversions that one reversal request takes back without being confirmed; absent: 10. */
  @Optional() @Whole(1, 1_000_000) reversalCapConversions?: number | null;
  /** Most money, in minor units of each currency; absent: no cap. */
  @Optional() @Minor() reversalCapMinor?: number | null;
}

/** A customer of the platform. Its id is its tenant id. */
export const TenantChanged = defineEvent<TenantEntity>({
  type: 'catalog.tenant',
  version: 1,
  topic: TOPICS.catalog,
  schema: TenantEntity,
  keyOf: entityKey('tenant'),
  idOf: entityId('tenant'),
  timeOf: (d) => d.changedAt,
  sample: {
    tenantId: '11111111-1111-4111-8111-111111111111',
    id: '11111111-1111-4111-8111-111111111111',
    version: 1,
    state: 'active',
    changedAt: '2026-01-01T00:00:00.000Z',
    catalogVersion: 1,
    name: 'Acme Shop',
  },
});
