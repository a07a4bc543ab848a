/** What a visitor's request to a link brings along. Nothing of it reaches the destination: it is kept on the click. */
export interface Passed {
  readonly subIds: Record<string, string>;
  /** UTM values as they came, before the convention was applied. */
  readonly rawUtm: Record<string, string>;
}

export const SUB_ID_MAX_LENGTH = 255;
export const SUB_IDS_MAX = 20;

/** The names under which the trade passes sub ids. */
export const SUB_ID_NAMES: readonly string[] = [
  ...['sid', ...numbered('sid', 9)],
  ...numbered('sub', 5),
  ...['aff_sub', ...numbered('aff_sub', 5)],
  // TUNE's: where a partner placed the link, and the partner's own click id.
  ...['source', 'aff_click_id'],
];
const UTM_NAMES = ['source', 'medium', 'campaign', 'term', 'content', 'id', 'source_platform', 'creative_format', 'marketing_tactic'].map(
  (name) => `utm_${name}`,
);
const SUB_IDS = new Set(SUB_ID_NAMES);
const UTMS = new Set(UTM_NAMES);
export const NOTHING_PASSED: Passed = { subIds: {}, rawUtm: {} };

/** Reads the target of a request (`/r/slug?sid=a`). Of a name that comes twice the first counts. Bytes outside ASCII are read as UTF-8. */
export function readQuery(target: string): Passed {
  const at = target.indexOf('?');
  if (at < 0) return NOTHING_PASSED;
  // HTTP servers hand over raw bytes as Latin-1 characters.
  const query = target.slice(at + 1).replace(/[\x80-\xff]/g, (byte) => `%${byte.charCodeAt(0).toString(16)}`);
  const passed: { subIds: Record<string, string>; rawUtm: Record<string, string> } = { subIds: {}, rawUtm: {} };
  for (const [name, value] of new URLSearchParams(`&${query}`)) {
    const into = SUB_IDS.has(name) ? passed.subIds : UTMS.has(name) ? passed.rawUtm : null;
    if (!into || into[name] !== undefined) continue;
    const text = cleanText(value, SUB_ID_MAX_LENGTH);
    if (text !== '') into[name] = text;
  }
  return passed;
}

/** The link's own sub ids under those of the click. Those of the click stay when there are too many. */
export function mergedSubIds(ofLink: Readonly<Record<string, string>>, ofClick: Readonly<Record<string, string>>): Record<string, string> {
  const merged: Record<string, string> = {};
  const entries = [...Object.entries(ofClick), ...Object.entries(ofLink).filter(([name]) => ofClick[name] === undefined)];
  for (const [name, value] of entries.slice(0, SUB_IDS_MAX)) merged[name] = value;
  return merged;
}

/** Without control characters (no database takes a NUL), cut to a number of characters. Lone surrogates became U+FFFD when the URL was read. */
export function cleanText(text: string, maxLength: number): string {
  const clean = text.replace(/\p{Cc}/gu, '');
  return clean.length <= maxLength ? clean : [...clean].slice(0, maxLength).join('');
}

function numbered(name: string, last: number): string[] {
  return Array.from({ length: last }, (_, i) => `${name}${i + 1}`);
}
