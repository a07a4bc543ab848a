/** Where a link of a program may lead. */
export interface DestinationRules {
  /** `shop.example` means that host alone, `*.shop.example` its subdomains alone. Without a port, the scheme's own port is meant. */
  readonly hosts: readonly string[];
  readonly allowHttp: boolean;
}

export type DestinationCheck =
  /** `href` is what to store and send: the text as a WHATWG parser reads it, so that no browser reads anything else. */
  { readonly kind: 'ok'; readonly href: string } | { readonly kind: 'refused'; readonly reasons: string[] };

export const DESTINATION_MAX_LENGTH = 2048;

// C0, DEL and C1; the same as percent escapes (UTF-8 writes C1 as %C2%80 to %C2%9F), because some receivers decode once before they use it.
const CONTROL = /\p{Cc}/u;
const ESCAPED_CONTROL = /%(?:[01][0-9a-f]|7f|c2%[89][0-9a-f])/i;
const HALF_CHARACTER = /\p{Surrogate}/u;
/** Scheme, two slashes, then at least one character of an authority. `https:host` and `https:///host` are read differently by different readers. */
const SHAPE = /^([a-z][a-z0-9+.-]*):\/\/([^/?#]+)/i;
const IPV4 = /^\d+\.\d+\.\d+\.\d+$/;

/**
 * Whether a URL may be a link's destination, with every reason why not. Used when a link is stored and again when a visitor is sent.
 * The URL is absolute, https (http where the program allows it), without user info, control characters or backslashes, and its host is on the list.
 */
export function checkDestination(text: string, rules: DestinationRules): DestinationCheck {
  const reasons = problemsOfText(text);
  const shape = SHAPE.exec(text);
  const url = shape && reasons.length === 0 ? parsed(text) : null;
  if (reasons.length === 0 && !url) reasons.push('it is not an absolute URL: write the whole of it, such as https://shop.example/page');
  if (url) reasons.push(...problemsOfUrl(url, shape?.[2] ?? '', rules));
  return reasons.length === 0 && url ? { kind: 'ok', href: url.href } : { kind: 'refused', reasons };
}

function problemsOfText(text: string): string[] {
  const problems: string[] = [];
  if (text.length > DESTINATION_MAX_LENGTH) problems.push(`it has ${text.length} characters; at most ${DESTINATION_MAX_LENGTH} are taken`);
  if (text.trim() !== text) problems.push('it begins or ends with white space');
  if (CONTROL.test(text)) problems.push('it holds a control character, such as a line break');
  if (ESCAPED_CONTROL.test(text)) problems.push('it holds an escaped control character, such as %0D or %0A');
  if (text.includes('\\')) problems.push('it holds a backslash, which browsers read as a slash: write / or %5C');
  if (HALF_CHARACTER.test(text)) problems.push('it holds half of a character (a lone surrogate)');
  return problems;
}

function parsed(text: string): URL | null {
  try {
    return new URL(text);
  } catch {
    return null;
  }
}

function problemsOfUrl(url: URL, authority: string, { hosts, allowHttp }: DestinationRules): string[] {
  const problems: string[] = [];
  const isHttp = url.protocol === 'http:';
  if (url.protocol !== 'https:' && !isHttp)
    return [`its scheme is ${url.protocol.slice(0, -1)}; only https${allowHttp ? ' and http are' : ' is'} taken`];
  if (isHttp && !allowHttp) problems.push('it is plain http, which this program does not allow: write https');
  // A visitor's value in the host would choose where the visitor goes.
  if (/[{}]/.test(url.hostname))
    problems.push('its host holds a brace: macros can stand behind the host alone, in path, query and fragment');
  if (authority.includes('@')) problems.push('it holds user info (something before an @ in front of the host)');
  if (url.href.length > DESTINATION_MAX_LENGTH)
    problems.push(`with everything escaped it has ${url.href.length} characters; at most ${DESTINATION_MAX_LENGTH} are taken`);
  if (!hosts.some((host) => covers(host, url)))
    problems.push(`its host ${url.host} is not one of this program's: ${hosts.join(', ') || 'the program names none'}`);
  return problems;
}

/** The browser's own normal form (lower case, punycode, dotted IPv4) is compared, never the text. */
function covers(entry: string, url: URL): boolean {
  const isWildcard = entry.startsWith('*.');
  const host = hostOf(isWildcard ? entry.slice(2) : entry, url.protocol);
  if (!host || host.includes('*')) return false;
  if (!isWildcard) return url.host === host;
  return url.host.endsWith(`.${host}`) && !IPV4.test(url.hostname) && url.host.length > host.length + 1;
}

function hostOf(entry: string, protocol: string): string | null {
  if (entry === '' || /[/?#@\\\s]/.test(entry)) return null;
  return parsed(`${protocol}//${entry}`)?.host ?? null;
}
