import { defineEvent } from '../define';
import { OneOf, Optional, Pattern, Text, Uuid, Whole } from '../fields';
import { TOPICS } from '../topics';
import { Entity, entityId, entityKey } from './entity';

export class PartnerData extends Entity {
  /** `customer`: an existing customer who refers newcomers. */
  @OneOf(['partner', 'customer']) kind!: 'partner' | 'customer';
  @Text(200) name!: string;
  /** The partner's public key in links and macros. */
  @Pattern(/^[A-Za-z0-9._-]{1,64}$/) key!: string;
  /** The advertiser's id of the customer, for kind customer. */
  @Optional() @Text(255) customerId?: string | null;
  /** The referring customer (a partner of kind customer) by whose link this customer came. */
  @Optional() @Uuid() referredBy?: string | null;
  /** How many customers referred one another up to this one; 0 or absent: came by nobody, or by a partner's own link. */
  @Optional() @Whole(0, 1_000) referralDepth?: number | null;
}

/** A partner, or a customer who refers. */
export const PartnerChanged = defineEvent<PartnerData>({
  type: 'catalog.partner',
  version: 1,
  topic: TOPICS.catalog,
  schema: PartnerData,
  keyOf: entityKey('partner'),
  idOf: entityId('partner'),
  timeOf: (d) => d.changedAt,
  sample: {
    tenantId: '11111111-1111-4111-8111-111111111111',
    id: '33333333-3333-4333-8333-333333333333',
    version: 1,
    state: 'active',
    changedAt: '2026-01-01T00:00:00.000Z',
    catalogVersion: 1,
    kind: 'partner',
    name: 'The Garden Blog',
    key: 'garden-blog',
  },
});
