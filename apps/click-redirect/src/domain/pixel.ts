import { isMail, keptPage, MARKS, pageAt, type Referrer, UUID } from '@baton/contracts';
import { cleanText, readQuery } from './query';
import { referrerHostOf } from './visitor';

/** What the pixel of a landing page says, read and bounded; nothing of it is believed yet. */
export interface PixelSaid {
  /** Named as such. */
  readonly clickId: string | null;
  /** Texts in the page's own query that have the shape of a click id, the likeliest first. */
  readonly clickIdsOfPage: readonly { readonly name: string; readonly value: string }[];
  readonly tenantId: string | null;
  readonly programId: string | null;
  /** `https://shop.example` */
  readonly pageOrigin: string | null;
  readonly page: string | null;
  readonly referrer: Referrer;
  readonly referrerHost: string | null;
  readonly visitorId: string | null;
  readonly utm: Readonly<Record<string, string>>;
  readonly marks: Readonly<Record<string, string>>;
}

export type Params = ReadonlyMap<string, string>;

/** A query or a form. Of a name that comes twice the first counts. Bytes outside ASCII are read as UTF-8. */
export function paramsOf(query: string): Params {
  const params = new Map<string, string>();
  const escaped = query.replace(/[\x80-\xff]/g, (byte) => `%${byte.charCodeAt(0).toString(16)}`);
  for (const [name, value] of new URLSearchParams(`&${escaped}`)) if (!params.has(name)) params.set(name, value);
  return params;
}

/** A JSON body: texts, numbers and flags; anything else says nothing. */
export function paramsOfJson(body: object): Params {
  const params = new Map<string, string>();
  for (const [name, value] of Object.entries(body))
    if (['string', 'number', 'boolean'].includes(typeof value)) params.set(name, String(value));
  return params;
}

/**
 * Parameters: `click_id`, `tenant_id`, `program_id`, `url`, `ref` (empty: the browser says that there was none), `visitor_id`, `utm_*`, and
 * the advertising platforms' own marks. What they leave out is read from the page's address; without `url` it is `referer`, the header.
 */
export function readPixel(params: Params, referer?: string): PixelSaid {
  const page = pageAt(params.get('url')) ?? pageAt(referer);
  const ofPage = paramsOf(page?.search.slice(1) ?? '');
  const ref = params.get('ref');
  return {
    clickId: params.get('click_id')?.trim() || null,
    clickIdsOfPage: clickIdsIn(ofPage),
    tenantId: uuid(params.get('tenant_id')),
    programId: uuid(params.get('program_id')),
    pageOrigin: page?.origin ?? null,
    page: page && keptPage(page),
    referrer: referrerOf(ref, page),
    referrerHost: referrerHostOf(ref),
    visitorId: VISITOR_ID.exec(params.get('visitor_id') ?? '')?.[0] ?? null,
    utm: { ...utmOf(ofPage), ...utmOf(params) },
    marks: { ...marksOf(ofPage), ...marksOf(params) },
  };
}

const CLICK_ID = /^[A-Za-z0-9_-]{32}$/;
const CLICK_IDS_MAX = 8;
/** The parameters under which the trade hands a click id to a landing page. */
const CLICK_ID_NAMES = [
  'click_id',
  'clickid',
  'dub_id',
  'ps_xid',
  '_ef_transaction_id',
  'transaction_id',
  'irclickid',
  'aff_click_id',
  'cid',
  'tid',
];
const VISITOR_ID = /^[A-Za-z0-9_.-]{1,64}$/;
const APP = /^(?:android|ios)-app:\/\/([A-Za-z0-9._]{1,255})/i;
const MARK_MAX_LENGTH = 255;

/** Any parameter will do: only ids that were signed by us count, whatever their name. */
function clickIdsIn(params: Params): { name: string; value: string }[] {
  const rank = (name: string): number => (CLICK_ID_NAMES.includes(name) ? CLICK_ID_NAMES.indexOf(name) : CLICK_ID_NAMES.length);
  return [...params]
    .filter(([, value]) => CLICK_ID.test(value))
    .map(([name, value]) => ({ name, value }))
    .sort((a, b) => rank(a.name) - rank(b.name))
    .slice(0, CLICK_IDS_MAX);
}

function uuid(text: string | undefined): string | null {
  const lower = text?.trim().toLowerCase() ?? '';
  return UUID.test(lower) ? lower : null;
}

/** Somebody who comes from another page of the same site came from nowhere else. */
function referrerOf(ref: string | undefined, page: URL | null): Referrer {
  if (ref === undefined) return { kind: 'unknown' };
  if (ref.trim() === '') return { kind: 'direct' };
  const app = APP.exec(ref)?.[1];
  if (app) return { kind: 'app', name: app };
  const host = referrerHostOf(ref);
  if (host === null) return { kind: 'unknown' };
  return host === page?.hostname ? { kind: 'direct' } : { kind: 'site', name: host };
}

function utmOf(params: Params): Record<string, string> {
  const { rawUtm } = readQuery(`?${new URLSearchParams([...params])}`);
  return Object.fromEntries(Object.entries(rawUtm).filter(([, value]) => !isMail(value)));
}

function marksOf(params: Params): Record<string, string> {
  const marks: Record<string, string> = {};
  for (const [name, value] of params) {
    const mark = name.toLowerCase();
    if (value !== '' && MARKS.includes(mark)) marks[mark] = cleanText(value, MARK_MAX_LENGTH);
  }
  return marks;
}
