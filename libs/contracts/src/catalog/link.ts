import { defineEvent } from '../define';
import { Pattern, Text, TextMap, Uuid, Whole } from '../fields';
import { TOPICS } from '../topics';
import { Entity, entityId, entityKey } from './entity';

export const SLUG = /^[A-Za-z0-9][A-Za-z0-9_-]{2,63}$/;

export class LinkData extends Entity {
  /** Unique over all tenants; case-sensitive. */
  @Pattern(SLUG) slug!: string;
  /** Unique over all tenants and never used again: it is what a click id carries. */
  @Whole(1, 2 ** 40 - 1) number!: number;
  @Uuid() programId!: string;
  @Uuid() partnerId!: string;
  @Text(2048) destination!: string;
  /** Sub ids that every click of the link gets, unless the click brings its own. */
  @TextMap(20, 255) subIds!: Record<string, string>;
}

/** A partner's link. */
export const LinkChanged = defineEvent<LinkData>({
  type: 'catalog.link',
  version: 1,
  topic: TOPICS.catalog,
  schema: LinkData,
  keyOf: entityKey('link'),
  idOf: entityId('link'),
  timeOf: (d) => d.changedAt,
  sample: {
    tenantId: '11111111-1111-4111-8111-111111111111',
    id: '44444444-4444-4444-8444-444444444444',
    version: 1,
    state: 'active',
    changedAt: '2026-01-01T00:00:00.000Z',
    catalogVersion: 1,
    slug: 'garden-spring',
    number: 1,
    programId: '22222222-2222-4222-8222-222222222222',
    partnerId: '33333333-3333-4333-8333-333333333333',
    destination: 'https://shop.example/spring',
    subIds: {},
  },
});
