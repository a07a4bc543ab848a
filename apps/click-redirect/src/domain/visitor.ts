import { isBot } from './bot';
import { cleanText } from './query';

export type DeviceClass = 'desktop' | 'mobile' | 'tablet' | 'bot' | 'other';

/** What the headers of a request say about its sender, coarse on purpose. */
export interface Visitor {
  readonly bot: boolean;
  readonly prefetch: boolean;
  readonly deviceClass: DeviceClass;
  readonly referrerHost: string | null;
  readonly language: string | null;
}

export type Headers = Readonly<Record<string, string | string[] | undefined>>;

const TABLET = /ipad|tablet|kindle|silk\/|playbook|android(?!.*mobile)/i;
const MOBILE = /iphone|ipod|android|mobile|phone|opera mini|blackberry/i;
const DESKTOP = /windows nt|macintosh|x11|cros|linux/i;
const LANGUAGE = /^\s*([a-z]{1,8}(?:-[a-z0-9]{1,8}){0,3})(?=\s*(?:[,;]|$))/i;
const HOST_MAX_LENGTH = 253;

export function readVisitor(headers: Headers): Visitor {
  const userAgent = one(headers, 'user-agent') ?? '';
  const bot = isBot(userAgent);
  return {
    bot,
    prefetch: isPrefetch(headers),
    deviceClass: bot ? 'bot' : deviceOf(userAgent),
    referrerHost: hostOf(one(headers, 'referer')),
    language: LANGUAGE.exec(one(headers, 'accept-language') ?? '')?.[1] ?? null,
  };
}

/** The browser fetches ahead of a person who may never come. */
function isPrefetch(headers: Headers): boolean {
  return ['sec-purpose', 'purpose', 'x-purpose', 'x-moz'].some((name) => /prefetch|prerender|preview/i.test(one(headers, name) ?? ''));
}

function deviceOf(userAgent: string): DeviceClass {
  if (TABLET.test(userAgent)) return 'tablet';
  if (MOBILE.test(userAgent)) return 'mobile';
  return DESKTOP.test(userAgent) ? 'desktop' : 'other';
}

function hostOf(referrer: string | undefined): string | null {
  if (!referrer || !/^https?:\/\//i.test(referrer)) return null;
  try {
    const host = cleanText(new URL(referrer).hostname, HOST_MAX_LENGTH + 1);
    return host === '' || host.length > HOST_MAX_LENGTH ? null : host;
  } catch {
    return null;
  }
}

function one(headers: Headers, name: string): string | undefined {
  const value = headers[name];
  return Array.isArray(value) ? value[0] : value;
}
