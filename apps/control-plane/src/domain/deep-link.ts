const SCHEME = /^[a-z][a-z0-9+.-]{0,63}$/;
/** They run something, read something or lead to any page: an app's link never has one of them. */
const NEVER = ['http', 'https', 'javascript', 'data', 'file', 'vbscript', 'blob', 'about', 'intent', 'content'];
const ESCAPED_CONTROL = /%(?:[01][0-9a-f]|7f|c2%[89][0-9a-f])/i;
export const DEEP_LINK_MAX_LENGTH = 2048;

/** Why a scheme may not be one that links of a program open; undefined if it may. */
export function problemOfScheme(scheme: string): string | undefined {
  if (!SCHEME.test(scheme)) return `"${scheme}" is not a scheme: write it in lower case and without ://, such as acme`;
  if (NEVER.includes(scheme)) return `"${scheme}" is not a scheme of an app: it would let a link do anything`;
  return undefined;
}

/** Why an app may not be opened with it. */
export function problemsOfDeepLink(deepLink: string, schemes: readonly string[]): string[] {
  const scheme = /^([a-z][a-z0-9+.-]*):/.exec(deepLink)?.[1];
  const problems: string[] = [];
  if (deepLink.length > DEEP_LINK_MAX_LENGTH) problems.push(`has ${deepLink.length} characters; at most ${DEEP_LINK_MAX_LENGTH} are taken`);
  if (!/^[\x21-\x7e]*$/.test(deepLink))
    problems.push('holds a space, a control character or one outside ASCII: escape it, as %20 for a space');
  if (ESCAPED_CONTROL.test(deepLink)) problems.push('holds an escaped control character, such as %0D or %0A');
  if (scheme === undefined)
    problems.push('is not a deep link: write scheme (in lower case, as Android compares it) and place, such as acme://products/7');
  else if (NEVER.includes(scheme) || !schemes.includes(scheme))
    problems.push(`has the scheme ${scheme}, which is not one of this program's: ${schemes.join(', ') || 'deep_link_schemes names none'}`);
  return problems;
}
