import { checkDestination, type DestinationRules } from '../destination';

export const PAGE_MAX_LENGTH = 2048;

/** A web page's address; null for what is none. */
export function pageAt(text: string | undefined): URL | null {
  if (!text || !/^https?:\/\//i.test(text)) return null;
  try {
    return new URL(text);
  } catch {
    return null;
  }
}

/**
 * A page's address as it is kept: without user info and fragment, without parameters and path segments that look like somebody's
 * data, at most 2048 characters, all of them ASCII. The rest stays byte for byte.
 */
export function keptPage(page: URL): string {
  const path = page.pathname
    .split('/')
    .map((segment) => (isMail(decoded(segment)) ? REMOVED : segment))
    .join('/');
  const query = page.search
    .slice(1)
    .split('&')
    .filter((part) => part !== '' && !isPersonal(part))
    .join('&');
  return `${page.origin}${path}${query === '' ? '' : `?${query}`}`.slice(0, PAGE_MAX_LENGTH);
}

/** Whether a page of this origin (`https://shop.example`) may speak for a program: its host is one that the program's links may lead to. */
export const isProgramsOrigin = (origin: string, rules: DestinationRules): boolean =>
  pageAt(origin)?.origin === origin && checkDestination(`${origin}/`, rules).kind === 'ok';

/**
 * Nobody fills another's reports: each of the pages that the browser and the pixel name must be the program's. Where the browser is told to
 * name none, a click id is proof enough that the visitor came to the program.
 */
export function maySpeakFor(
  rules: DestinationRules,
  { origin, referer, page }: { readonly origin?: string | undefined; readonly referer?: string | undefined; readonly page: string | null },
  hasClick: boolean,
): boolean {
  const named = [origin === OPAQUE ? null : origin, referer === undefined ? null : (pageAt(referer)?.origin ?? referer), page];
  const given = named.filter((one): one is string => typeof one === 'string' && one !== '');
  return given.length === 0 ? hasClick : given.every((one) => isProgramsOrigin(one, rules));
}

export const isMail = (text: string): boolean => MAIL.test(text);

/** What browsers send instead of an origin that they keep to themselves. */
const OPAQUE = 'null';
const REMOVED = 'removed';
const MAIL = /[^\s@/]+@[^\s@/]+\.[^\s@/]+/;
const PERSONAL_NAME =
  /^(?:(?:user|customer|billing|shipping|contact)?[-_.]?(?:e?-?mail|phone|tel|telephone|mobile|(?:first|last|full|sur|family|given)[-_.]?name|name|login)(?:[-_.]?(?:address|number))?|birth(?:day|date)|dob|ssn|iban|address|street|passw(?:or)?d|pwd|pass|secret|(?:access|id|refresh|auth|session|reset|csrf)?[-_.]?token|session(?:[-_.]?id)?|api[-_.]?key|otp|jwt|signature)$/i;

function isPersonal(part: string): boolean {
  // The leading & keeps a name that begins with ? as it is.
  for (const [name, value] of new URLSearchParams(`&${part}`)) if (PERSONAL_NAME.test(name) || isMail(value)) return true;
  return false;
}

function decoded(segment: string): string {
  try {
    return decodeURIComponent(segment);
  } catch {
    return segment;
  }
}
