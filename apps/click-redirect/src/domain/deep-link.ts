const SHAPE = /^([a-z][a-z0-9+.-]*):\/\//i;
/** They run code, read files or open any page: no program can have them for its own. */
const NEVER = new Set([
  'http',
  'https',
  'javascript',
  'vbscript',
  'data',
  'file',
  'filesystem',
  'blob',
  'about',
  'view-source',
  'intent',
  'content',
  'ws',
  'wss',
  'ftp',
]);
/** Printable ASCII that ends no attribute, script or header. */
const HARMLESS = /^(?:(?!["'<>\\`])[\x21-\x7e])+$/;
const ESCAPED_CONTROL = /%(?:[01][0-9a-f]|7f|c2%[89][0-9a-f])/i;

/** What an app opens, as a URL parser writes it. Null: its scheme is not on the program's list, or it holds what no page should. */
export function deepLinkOf(text: string | null | undefined, schemes: readonly string[]): string | null {
  const scheme = SHAPE.exec(text ?? '')?.[1]?.toLowerCase();
  if (!text || !scheme || NEVER.has(scheme) || !schemes.some((allowed) => allowed.toLowerCase() === scheme)) return null;
  if (/[\p{Cc}\p{Surrogate}]/u.test(text) || ESCAPED_CONTROL.test(text) || text.trim() !== text || !URL.canParse(text)) return null;
  const { href, username, password } = new URL(text);
  return HARMLESS.test(href) && username === '' && password === '' ? href : null;
}
