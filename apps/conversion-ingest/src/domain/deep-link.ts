import { type ClickIdKeys, type LinkData, peekClickId, type ProgramData } from '@baton/contracts';
import { clickEvidence } from './click';
import { said } from './fields';

/** What a newly installed app knows of how it came to be there. */
export interface DeepLinkAsked {
  /** As the Play Store gives it: `click_id=…&utm_source=…`. */
  readonly install_referrer?: string | null;
  /** The code that a person pasted. */
  readonly token?: string | null;
  /** Of the Play Store's install referrer, in seconds since 1970; 0 means that the store did not tell. The first two are the device's clock. */
  readonly referrer_click_timestamp_seconds?: number | null;
  readonly install_begin_timestamp_seconds?: number | null;
  readonly referrer_click_timestamp_server_seconds?: number | null;
  readonly install_begin_timestamp_server_seconds?: number | null;
}

export const DEEP_LINK_REASONS = ['no_evidence', 'click_forged', 'ambiguous', 'click_injection', 'too_old', 'already_claimed'] as const;
export type DeepLinkReason = (typeof DEEP_LINK_REASONS)[number];
export type Match = 'install_referrer' | 'token';

export type DeepLinkReading =
  | { readonly kind: 'refused'; readonly reason: DeepLinkReason }
  /** `refusal` speaks against a first claim alone: what was answered once is answered again. */
  | {
      readonly kind: 'named';
      readonly clickId: string;
      readonly linkNumber: number;
      readonly match: Match;
      readonly refusal: DeepLinkReason | null;
    };

export interface DeepLinkRules {
  readonly tenantId: string;
  readonly nowMs: number;
  readonly clickIdKeys: ClickIdKeys;
  /** Under which names, beside `click_id`, the tenant's programs carry click ids. */
  readonly landingParams: readonly string[];
}

/** What an app is told of the link that led to it. */
export interface DeepLinkFound {
  readonly matched: true;
  readonly match: Match;
  readonly click_id: string;
  readonly program_id: string | null;
  /** What to open; null: the link names nothing (any more), or is not known yet. */
  readonly deep_link: string | null;
  readonly partner_key: string | null;
  /** Of the link. */
  readonly sub_ids: Readonly<Record<string, string>>;
}

const SECOND_MS = 1_000;
/** The Play Store keeps an install referrer for so long. */
const AGE_MAX_MS = 90 * 86_400 * SECOND_MS;
/** Between our clock and the Play Store's. */
const SKEW_MAX_MS = 60 * SECOND_MS;
const CLICK_ID = 'click_id';

/**
 * The click that the evidence names. Evidence is a click id signed for this tenant and nothing else: how an app's device resembles a
 * visitor's is never looked at. Forged ids are dropped, and sink the claim only where nothing else is left; two clicks are none.
 */
export function readDeepLink(asked: DeepLinkAsked, rules: DeepLinkRules): DeepLinkReading {
  const token = said(asked.token)?.trim() ?? null;
  const ofReferrer = idsIn(said(asked.install_referrer), [CLICK_ID, ...rules.landingParams]);
  const given = [...ofReferrer, ...(token === null ? [] : [token])];
  if (given.length === 0) return refused('no_evidence');
  const [first, ...others] = [...new Set(given)].flatMap((text) => {
    const { clickId, linkNumber } = clickEvidence(rules.clickIdKeys, rules.tenantId, text);
    return clickId === null || linkNumber === null ? [] : [{ clickId, linkNumber }];
  });
  if (!first) return refused('click_forged');
  if (others.length > 0) return refused('ambiguous');
  const match = ofReferrer.includes(first.clickId) ? 'install_referrer' : 'token';
  const occurredAtMs = peekClickId(first.clickId)?.occurredAtMs as number;
  return { kind: 'named', ...first, match, refusal: refusalOf({ asked, match, occurredAtMs, nowMs: rules.nowMs }) };
}

/** A link or partner that the catalog has not told of yet leaves its fields empty: the click is the app's all the same. */
export function deepLinkFound(
  { clickId, match }: { readonly clickId: string; readonly match: Match },
  { link, program, partnerKey }: { readonly link?: LinkData; readonly program?: ProgramData; readonly partnerKey?: string },
): DeepLinkFound {
  return {
    matched: true,
    match,
    click_id: clickId,
    program_id: link?.programId ?? null,
    deep_link: link ? openable(link, program) : null,
    partner_key: partnerKey ?? null,
    sub_ids: link?.subIds ?? {},
  };
}

const refused = (reason: DeepLinkReason): DeepLinkReading => ({ kind: 'refused', reason });

/** Every value under one of the names. Some senders pass the referrer on as escaped as they got it. */
function idsIn(referrer: string | null, names: readonly string[]): string[] {
  if (referrer === null) return [];
  const query = referrer.includes('=') ? referrer : ([...new URLSearchParams(`&all=${referrer}`)][0]?.[1] ?? '');
  return [...new URLSearchParams(`&${query}`)].flatMap(([name, value]) => (names.includes(name) && value !== '' ? [value] : []));
}

function refusalOf(of: {
  readonly asked: DeepLinkAsked;
  readonly match: Match;
  readonly occurredAtMs: number;
  readonly nowMs: number;
}): DeepLinkReason | null {
  if (of.match === 'install_referrer' && isInjected(of.asked, of.occurredAtMs)) return 'click_injection';
  return of.occurredAtMs < of.nowMs - AGE_MAX_MS ? 'too_old' : null;
}

/** A click after the install had begun did not lead to it: another app on the device made it up, to be credited with the install. */
function isInjected(asked: DeepLinkAsked, occurredAtMs: number): boolean {
  const begunOnServer = asked.install_begin_timestamp_server_seconds ?? 0;
  return (
    isAfter(asked.referrer_click_timestamp_seconds, asked.install_begin_timestamp_seconds) ||
    isAfter(asked.referrer_click_timestamp_server_seconds, begunOnServer) ||
    (begunOnServer > 0 && occurredAtMs > begunOnServer * SECOND_MS + SKEW_MAX_MS)
  );
}

const isAfter = (clicked: number | null | undefined, begun: number | null | undefined): boolean =>
  (clicked ?? 0) > 0 && (begun ?? 0) > 0 && (clicked as number) > (begun as number);

/** As the redirect does it: the link is in force, and its scheme is one of the program's. */
function openable({ state, deepLink }: LinkData, program: ProgramData | undefined): string | null {
  if (state !== 'active' || !deepLink) return null;
  const scheme = /^([a-z][a-z0-9+.-]*):/i.exec(deepLink)?.[1]?.toLowerCase();
  return program?.deepLinkSchemes?.some((allowed) => allowed.toLowerCase() === scheme) ? deepLink : null;
}
