import { defineEvent } from '../define';
import { Instant, ListOf, Optional, Pattern, Text, TextList, TextMap, Uuid, Whole } from '../fields';
import { TOPICS } from '../topics';
import { Entity, entityId, entityKey } from './entity';

export const SLUG = /^[A-Za-z0-9][A-Za-z0-9_-]{2,63}$/;

/** As `deviceClass` of a click names them; bots go where the link's own destination is. */
export const TARGET_DEVICES = ['desktop', 'mobile', 'tablet', 'other'] as const;

export class TargetChoice {
  @Text(2048) destination!: string;
  /** Its part of the visitors, against the other choices' weights. */
  @Whole(1, 1_000_000) weight!: number;
}

/** For visitors of these countries (ISO 3166 alpha-2) and devices; what is left out means all. A visitor always gets the same choice. */
export class LinkTarget {
  @Optional() @TextList(250, 2) countries?: string[] | null;
  @Optional() @TextList(4, 16) devices?: string[] | null;
  @ListOf(() => TargetChoice, 20) choices!: TargetChoice[];
}

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
  /** What the link chose of the program's UTM convention: `source`, `campaign`, `term`. */
  @Optional() @TextMap(3, 64) utm?: Record<string, string> | null;
  /** Before it and from `endsAt` on, visitors go to the fallback. */
  @Optional() @Instant() startsAt?: string | null;
  @Optional() @Instant() endsAt?: string | null;
  /** After so many counted clicks, visitors go to the fallback. Replicas tell each other once a second: it may be passed by so much. */
  @Optional() @Whole(1, 1_000_000_000_000) clickCap?: number | null;
  /** Stands before the program's. */
  @Optional() @Text(2048) fallbackUrl?: string | null;
  /** The first that fits the visitor wins; where none does, `destination`. */
  @Optional() @ListOf(() => LinkTarget, 50) targets?: LinkTarget[] | null;
  /** What the app opens, `acme://products/7`; its scheme is one of the program's. */
  @Optional() @Text(2048) deepLink?: string | null;
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
