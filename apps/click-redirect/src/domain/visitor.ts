import { isBot, isUnfurler } from './bot';
import { type DeviceClass, deviceOf, osOf } from './device';

export type { DeviceClass } from './device';

/** What a user agent says of its sender, coarse on purpose. */
export interface Agent {
  readonly bot: boolean;
  /** A bot that draws a preview of the link. */
  readonly unfurler: boolean;
  readonly deviceClass: DeviceClass;
  /** `ios`, `android`, `windows`, `macos`, `linux`, `chromeos`; null for bots and for what cannot be told. */
  readonly os: string | null;
}

/** What the headers of a request say about its sender. */
export interface Visitor extends Agent {
  readonly prefetch: boolean;
  readonly referrerHost: string | null;
  readonly language: string | null;
}

export type Headers = Readonly<Record<string, string | string[] | undefined>>;

/** Longer ones are nobody's; what follows is not looked at. */
const USER_AGENT_MAX_LENGTH = 1024;
const HOST_MAX_LENGTH = 253;
const LANGUAGE = /^\s*([a-z]{1,8}(?:-[a-z0-9]{1,8}){0,3})(?=\s*(?:[,;]|$))/i;
const AHEAD = /prefetch|prerender|preview/i;
const COOKIE = 'baton_vid=';
const VISITOR_ID_LENGTH = 22;

const UNNAMED: Agent = { bot: false, unfurler: false, deviceClass: 'other', os: null };

export function readVisitor(headers: Headers): Visitor {
  return {
    ...readAgent(one(headers['user-agent'])),
    prefetch: isPrefetch(headers),
    referrerHost: referrerHostOf(one(headers['referer'])),
    language: languageOf(one(headers['accept-language'])),
  };
}

/** Some tens of microseconds: keep what it gives for a user agent that comes again. */
export function readAgent(userAgent: string | undefined): Agent {
  if (!userAgent) return UNNAMED;
  const text = userAgent.slice(0, USER_AGENT_MAX_LENGTH);
  if (isBot(text)) return { bot: true, unfurler: isUnfurler(text), deviceClass: 'bot', os: null };
  return { bot: false, unfurler: false, deviceClass: deviceOf(text), os: osOf(text) };
}

/** The browser fetches ahead of a person who may never come. */
export function isPrefetch(headers: Headers): boolean {
  return (
    saysAhead(headers['sec-purpose']) || saysAhead(headers['purpose']) || saysAhead(headers['x-purpose']) || saysAhead(headers['x-moz'])
  );
}

/** The host of an http(s) referrer as WHATWG URL writes it, without port; null where there is none. */
export function referrerHostOf(referer?: string): string | null {
  if (!referer) return null;
  const from = afterScheme(referer);
  if (from === 0) return null;
  const host = plainHost(referer, from) ?? parsedHost(referer);
  return host === '' || host.length > HOST_MAX_LENGTH ? null : host;
}

/** The first language of an Accept-Language header, as it is written; null for `*` and for what is none. */
export function languageOf(acceptLanguage?: string): string | null {
  return acceptLanguage ? (LANGUAGE.exec(acceptLanguage)?.[1] ?? null) : null;
}

/** The id of our first-party cookie in a Cookie header; the first well-formed one, or null. */
export function visitorIdIn(cookie: string | undefined): string | null {
  if (!cookie) return null;
  for (let at = cookie.indexOf(COOKIE); at !== -1; at = cookie.indexOf(COOKIE, at + 1)) {
    const from = at + COOKIE.length;
    const to = from + VISITOR_ID_LENGTH;
    if (startsPair(cookie, at) && isId(cookie, from, to) && endsPair(cookie, to)) return cookie.slice(from, to);
  }
  return null;
}

function saysAhead(value: string | string[] | undefined): boolean {
  return value !== undefined && AHEAD.test(one(value) ?? '');
}

const one = (value: string | string[] | undefined): string | undefined => (Array.isArray(value) ? value[0] : value);

/** Where the authority of an http(s) URL begins; 0 for any other text. */
function afterScheme(url: string): number {
  const scheme = url.slice(0, 8).toLowerCase();
  return scheme === 'https://' ? 8 : scheme.startsWith('http://') ? 7 : 0;
}

/**
 * A host of letters, digits, dots, hyphens and underscores, in lower case. Undefined for all that WHATWG reads otherwise than it is written:
 * numbers (IPv4 in its many clothes), punycode, ports, user names, escapes, no host at all.
 */
function plainHost(url: string, from: number): string | undefined {
  let labelFrom = from;
  let at = from;
  for (; at < url.length; at++) {
    const code = url.charCodeAt(at);
    if (code === 0x2f || code === 0x3f || code === 0x23) break;
    if (code === 0x2e) labelFrom = at + 1;
    else if (!isHostCharacter(code)) return undefined;
  }
  const isLastLabelOdd = labelFrom === at || isDigit(url.charCodeAt(labelFrom));
  if (at === from || isLastLabelOdd) return undefined;
  const host = url.slice(from, at).toLowerCase();
  return host.includes('xn--') ? undefined : host;
}

function parsedHost(url: string): string {
  try {
    return new URL(url).hostname;
  } catch {
    return '';
  }
}

const isDigit = (code: number): boolean => code >= 0x30 && code <= 0x39;
const isLetter = (code: number): boolean => (code | 0x20) >= 0x61 && (code | 0x20) <= 0x7a;
/** `-` and `_`: the two of base64url, and of host names. */
const isDash = (code: number): boolean => code === 0x2d || code === 0x5f;
const isHostCharacter = (code: number): boolean => isLetter(code) || isDigit(code) || isDash(code);

/** A pair begins at the front, or after `;` and blanks. */
function startsPair(cookie: string, at: number): boolean {
  let before = at - 1;
  while (before >= 0 && isBlank(cookie.charCodeAt(before))) before--;
  return before < 0 || cookie.charCodeAt(before) === 0x3b;
}

function endsPair(cookie: string, to: number): boolean {
  let after = to;
  while (after < cookie.length && isBlank(cookie.charCodeAt(after))) after++;
  return after === cookie.length || cookie.charCodeAt(after) === 0x3b;
}

function isId(text: string, from: number, to: number): boolean {
  if (to > text.length) return false;
  for (let at = from; at < to; at++) if (!isHostCharacter(text.charCodeAt(at))) return false;
  return true;
}

const isBlank = (code: number): boolean => code === 0x20 || code === 0x09;
