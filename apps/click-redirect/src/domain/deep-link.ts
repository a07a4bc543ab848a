const SCHEME = /^([a-z][a-z0-9+.-]*):/i;
/** They run code, read files or open any page: no program can have them for its own. */
const NEVER = new Set([
  ...['http', 'https', 'ws', 'wss', 'ftp', 'file', 'filesystem', 'content', 'blob', 'data'],
  ...['javascript', 'vbscript', 'about', 'view-source', 'intent'],
]);
/** What a URL parser leaves in a deep link though it ends an attribute, a script or a word of a page. */
const RISKY = /[ "'<>\\`]/g;
const PRINTABLE = /^[\x21-\x7e]+$/;
const ESCAPED_CONTROL = /%(?:[01][0-9a-f]|7f|c2%[89][0-9a-f])/i;

/**
 * What an app opens, as a URL parser writes it, fit to stand in a page. Null: there is none, its scheme is not on the program's list, or it
 * holds a control character.
 */
export function deepLinkOf(text: string | null | undefined, schemes: readonly string[]): string | null {
  const scheme = SCHEME.exec(text ?? '')?.[1]?.toLowerCase();
  if (!text || !scheme || NEVER.has(scheme) || !schemes.some((allowed) => allowed.toLowerCase() === scheme)) return null;
  if (/[\p{Cc}\p{Surrogate}]/u.test(text) || ESCAPED_CONTROL.test(text) || text.trim() !== text || !URL.canParse(text)) return null;
  const href = new URL(text).href.replace(RISKY, (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`);
  return PRINTABLE.test(href) ? href : null;
}
