import type { TouchRecordedData } from '../events/touch-recorded';
import { appKindOf, type SiteKind, siteKindOf, sourceKindOf } from './known-sites';

export type Channel = TouchRecordedData['channel'];
export const CHANNEL_TYPES = [
  ...['direct', 'cross_network', 'paid_search', 'paid_social', 'paid_video', 'paid_shopping', 'paid_other', 'display'],
  ...[
    'organic_search',
    'organic_social',
    'organic_video',
    'organic_shopping',
    'email',
    'audio',
    'sms',
    'push',
    'affiliate',
    'referral',
    'other',
  ],
] as const;
export type ChannelType = (typeof CHANNEL_TYPES)[number];

/** Where the visitor came from, as the browser says it: `direct`, somebody, or nothing was said. */
export type Referrer = { readonly kind: 'direct' | 'unknown' } | { readonly kind: 'site' | 'app'; readonly name: string };

export interface Arrival {
  readonly referrer: Referrer;
  /** `utm_source`, `utm_medium`, `utm_campaign`, as they came. */
  readonly utm: Readonly<Record<string, string>>;
  /** The marks that advertising platforms put on a landing page's address: `gclid`, `fbclid`… with their values. */
  readonly marks: Readonly<Record<string, string>>;
  /** The landing page's address bears one of our own click ids. */
  readonly byPartner: boolean;
}

/**
 * How a visitor came. The order of the questions is that of Google Analytics' default channel groups: a partner's link, then what the
 * campaign says, paid before free, source before campaign before medium before referrer. Case counts nowhere. Somebody's page that is no
 * known site is `referral` with the type `other`: nobody said what it is.
 */
export function channelOf(arrival: Arrival): { readonly channel: Channel; readonly type: ChannelType } {
  const said = saidBy(arrival);
  const type = arrival.byPartner ? 'affiliate' : typeOf(arrival, said);
  if (type !== 'other') return { channel: CHANNEL_OF[type], type };
  const isNamedOtherwise = said.source !== '' || said.medium !== '';
  return { channel: arrival.referrer.kind === 'site' && !isNamedOtherwise ? 'referral' : 'other', type };
}

interface Said {
  readonly source: string;
  readonly medium: string;
  readonly campaign: string;
  readonly sourceKind: SiteKind | null;
  readonly referrerKind: SiteKind | null;
}

/** Google Analytics' own pattern for paid mediums, and the one that Performance Max writes. */
const PAID_MEDIUM = /^(?:.*cp.*|ppc|retargeting|remarketing|paid.*|pmax)$/;
const SHOPPING_CAMPAIGN = /(?:^|[^a-df-z])shop|shopping/;
const VIDEO_CAMPAIGN = /video/;
const NO_VALUE = new Set(['', '(none)', '(not set)', 'none', 'direct', '(direct)', '$direct']);

const PAID_OF: Record<SiteKind, ChannelType> = {
  search: 'paid_search',
  social: 'paid_social',
  video: 'paid_video',
  shopping: 'paid_shopping',
  email: 'email',
  audio: 'audio',
};
const ORGANIC_OF: Record<SiteKind, ChannelType> = {
  search: 'organic_search',
  social: 'organic_social',
  video: 'organic_video',
  shopping: 'organic_shopping',
  email: 'email',
  audio: 'audio',
};
const CHANNEL_OF: Record<Exclude<ChannelType, 'other'>, Channel> = {
  direct: 'direct',
  cross_network: 'paid',
  paid_search: 'paid',
  paid_social: 'paid',
  paid_video: 'paid',
  paid_shopping: 'paid',
  paid_other: 'paid',
  display: 'paid',
  organic_search: 'organic',
  organic_video: 'organic',
  organic_shopping: 'organic',
  organic_social: 'social',
  email: 'email',
  audio: 'other',
  sms: 'other',
  push: 'other',
  affiliate: 'referral',
  referral: 'referral',
};

const MEDIUMS: readonly (readonly [RegExp, ChannelType])[] = [
  [/^(?:e[-_ ]?mail|newsletter)$/, 'email'],
  [/^affiliates?$|^partners?$/, 'affiliate'],
  [/^(?:display|banner|expandable|interstitial)$/, 'display'],
  [/^(?:social|social[-_ ](?:network|media)|sm|organic[-_ ]social)$/, 'organic_social'],
  [/^(?:organic|organic[-_ ]search)$/, 'organic_search'],
  [/^(?:referral|app|link)$/, 'referral'],
  [/video/, 'organic_video'],
  [/^(?:audio|podcast)$/, 'audio'],
  [/^(?:sms|text|mms)$/, 'sms'],
  [/push$|^(?:mobile|notification)$|mobile.*notification/, 'push'],
];
const PAID_MEDIUMS: readonly (readonly [RegExp, ChannelType])[] = [
  [/^cpm$/, 'display'],
  [/^cpv$|video/, 'paid_video'],
  [/^paid[-_ ]?search$/, 'paid_search'],
  [/^paid[-_ ]?social$/, 'paid_social'],
  [/^paid[-_ ]?shopping$/, 'paid_shopping'],
];

/** Marks of paid clicks, and where they can be bought; null: in many places. `fbclid` is on unpaid links too. */
const PAID_MARKS: Readonly<Record<string, SiteKind | 'display' | null>> = {
  gclid: null,
  gbraid: null,
  wbraid: null,
  gad_source: null,
  dclid: 'display',
  msclkid: 'search',
  yclid: 'search',
  ttclid: 'social',
  twclid: 'social',
  li_fat_id: 'social',
  rdt_cid: 'social',
  sccid: 'social',
};
const FREE_MARKS = ['fbclid', 'igshid'];
export const MARKS: readonly string[] = [...Object.keys(PAID_MARKS), ...FREE_MARKS];
/** What Google Ads writes into `gad_source` for its search results. */
const GAD_SEARCH = '1';

function saidBy({ referrer, utm }: Arrival): Said {
  const source = plain(utm['utm_source']);
  return {
    source,
    medium: plain(utm['utm_medium']),
    campaign: (utm['utm_campaign'] ?? '').toLowerCase(),
    sourceKind: source === '' ? null : sourceKindOf(source),
    referrerKind: referrer.kind === 'site' ? siteKindOf(referrer.name) : referrer.kind === 'app' ? appKindOf(referrer.name) : null,
  };
}

function plain(value: string | undefined): string {
  const text = (value ?? '').trim().toLowerCase();
  return NO_VALUE.has(text) ? '' : text;
}

function typeOf(arrival: Arrival, said: Said): ChannelType {
  if (said.campaign.includes('cross-network')) return 'cross_network';
  if (PAID_MEDIUM.test(said.medium) || Object.keys(arrival.marks).some((mark) => mark in PAID_MARKS)) return paidTypeOf(arrival, said);
  if (arrival.referrer.kind === 'direct' && said.source === '' && said.medium === '' && Object.keys(arrival.marks).length === 0)
    return 'direct';
  return freeTypeOf(arrival, said);
}

function paidTypeOf({ marks }: Arrival, { sourceKind, referrerKind, campaign, medium }: Said): ChannelType {
  if (sourceKind) return PAID_OF[sourceKind];
  if (SHOPPING_CAMPAIGN.test(campaign)) return 'paid_shopping';
  const byMedium = matched(PAID_MEDIUMS, medium);
  if (byMedium) return byMedium;
  if (referrerKind) return PAID_OF[referrerKind];
  if (marks['gad_source'] === GAD_SEARCH) return 'paid_search';
  if (VIDEO_CAMPAIGN.test(campaign)) return 'paid_video';
  for (const [mark, kind] of Object.entries(PAID_MARKS)) if (kind && mark in marks) return kind === 'display' ? 'display' : PAID_OF[kind];
  return FREE_MARKS.some((mark) => mark in marks) ? 'paid_social' : 'paid_other';
}

function freeTypeOf({ marks }: Arrival, { sourceKind, referrerKind, campaign, medium }: Said): ChannelType {
  if (matched(MEDIUMS, medium) === 'affiliate') return 'affiliate';
  if (sourceKind) return ORGANIC_OF[sourceKind];
  const byMedium = matched(MEDIUMS, medium);
  if (byMedium) return byMedium;
  if (SHOPPING_CAMPAIGN.test(campaign)) return 'organic_shopping';
  if (referrerKind) return ORGANIC_OF[referrerKind];
  if (VIDEO_CAMPAIGN.test(campaign)) return 'organic_video';
  return FREE_MARKS.some((mark) => mark in marks) ? 'organic_social' : 'other';
}

const matched = (table: readonly (readonly [RegExp, ChannelType])[], text: string): ChannelType | undefined =>
  text === '' ? undefined : table.find(([pattern]) => pattern.test(text))?.[1];
