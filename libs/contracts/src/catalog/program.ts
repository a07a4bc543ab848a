import { defineEvent } from '../define';
import { Flag, Instant, Nested, OneOf, Optional, Pattern, Text, TextList, TextMap, Whole } from '../fields';
import { TOPICS } from '../topics';
import { Entity, entityId, termsKey } from './entity';

const DAY_MS = 86_400_000;
export const ANDROID_PACKAGE = /^[A-Za-z][A-Za-z0-9_]*(\.[A-Za-z0-9_]+)+$/;
export const WINDOW_MAX_MS = 3650 * DAY_MS;

/** A governed UTM value, as analytics group by it: lower case, no spaces. */
export const UTM_VALUE = /^[a-z0-9._-]{1,64}$/;
/** It is how analytics tell referred traffic from the rest. */
export const UTM_MEDIUM = 'referral';

/**
 * The vocabulary of a program's UTM values. The redirect puts `utm_source` and `utm_campaign` (what the link chose of these lists, else the
 * first), `utm_medium=referral`, `utm_content` = the partner's key in lower case, and `utm_term` where the link has one. All match `UTM_VALUE`.
 */
export class UtmConvention {
  @TextList(200, 64) sources!: string[];
  @TextList(200, 64) campaigns!: string[];
  /** Absent: any well-formed term. An empty list: no terms. */
  @Optional() @TextList(200, 64) terms?: string[] | null;
}

/** Where somebody without the app is sent to get it. */
export class AppStores {
  /** `https://apps.apple.com/…` */
  @Optional() @Text(2048) appStoreUrl?: string | null;
  /** The id of the app in the Play Store. */
  @Optional() @Pattern(ANDROID_PACKAGE) playPackage?: string | null;
}

/** One version of a program's terms. The version in force at a time is the highest with `validFrom` at or before it. */
export class ProgramData extends Entity {
  @Text(200) name!: string;
  @Instant() validFrom!: string;
  /** Hosts that a link of this program may lead to. */
  @TextList(100, 253) destinationHosts!: string[];
  /** Plain http is refused unless this is set. */
  @Flag() allowHttp!: boolean;
  /** A touch older than this at the conversion earns nothing. */
  @Whole(0, WINDOW_MAX_MS) windowMs!: number;
  @OneOf(['last_touch']) model!: 'last_touch';
  /** Days from the conversion until its reward is payable. */
  @Whole(0, 365) holdDays!: number;
  /** How far the advertiser's clock may be behind: a click that the conversion names counts though it seems later. */
  @Whole(0, DAY_MS) clockSkewMs!: number;
  /** The query parameter that carries the click id to the destination. */
  @Pattern(/^[A-Za-z][A-Za-z0-9_.-]{0,63}$/) landingParam!: string;
  /** UTM parameters put on the destination. */
  @TextMap(10, 255) utm!: Record<string, string>;
  /** Where visitors of a paused program go. */
  @Optional() @Text(2048) fallbackUrl?: string | null;
  /** Stands over `utm`. */
  @Optional() @Nested(() => UtmConvention) utmConvention?: UtmConvention | null;
  /** Schemes of apps that deep links of this program may open: `acme` for `acme://`. */
  @Optional() @TextList(20, 64) deepLinkSchemes?: string[] | null;
  @Optional() @Nested(() => AppStores) appStores?: AppStores | null;
  /** Whoever converts becomes a referrer with a share link of their own. */
  @Optional() @Flag() enrolCustomers?: boolean | null;
}

export const ProgramChanged = defineEvent<ProgramData>({
  type: 'catalog.program',
  version: 1,
  topic: TOPICS.catalog,
  schema: ProgramData,
  keyOf: termsKey('program'),
  idOf: entityId('program'),
  timeOf: (d) => d.changedAt,
  sample: {
    tenantId: '11111111-1111-4111-8111-111111111111',
    id: '22222222-2222-4222-8222-222222222222',
    version: 1,
    state: 'active',
    changedAt: '2026-01-01T00:00:00.000Z',
    catalogVersion: 1,
    name: 'Spring',
    validFrom: '2026-01-01T00:00:00.000Z',
    destinationHosts: ['shop.example'],
    allowHttp: false,
    windowMs: 2_592_000_000,
    model: 'last_touch',
    holdDays: 30,
    clockSkewMs: 300_000,
    landingParam: 'click_id',
    utm: { utm_source: 'partner', utm_medium: 'referral', utm_campaign: 'spring' },
  },
});
