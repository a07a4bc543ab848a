/** A NUL or half of a surrogate pair: JSON carries them, no database text can. Matches whole code points alone, so a pair is no match. */
const UNSTORABLE = /\u0000|[\uD800-\uDFFF]/u;

/** Where in a body a text lies that cannot be stored, as a path; null when there is none. The body's depth is bounded by its reader. */
export const unstorableIn = (value: unknown): string | null => (isStorable(value) ? null : pathIn(value, ''));

function isStorable(value: unknown): boolean {
  if (typeof value === 'string') return !UNSTORABLE.test(value);
  if (typeof value !== 'object' || value === null) return true;
  for (const key in value) if (UNSTORABLE.test(key) || !isStorable((value as Record<string, unknown>)[key])) return false;
  return true;
}

function pathIn(value: unknown, path: string): string | null {
  if (typeof value === 'string') return UNSTORABLE.test(value) ? path : null;
  if (typeof value !== 'object' || value === null) return null;
  for (const [key, child] of Object.entries(value)) {
    // The key itself is not shown: it is what cannot be written.
    if (UNSTORABLE.test(key)) return path === '' ? 'a field name' : `a field name in ${path}`;
    const found = pathIn(child, path === '' ? key : `${path}.${key}`);
    if (found !== null) return found;
  }
  return null;
}
