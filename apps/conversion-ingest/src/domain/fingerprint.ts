import { nameId } from '@baton/contracts';

/**
 * What makes two requests the same body: equal fields, whatever their order, however the instant was written, absent or null or an empty map.
 * Nothing that was derived at receipt takes part, so a repeat is the same after the catalog moved or a key was rotated.
 */
export const fingerprint = (kind: string, body: object): string => nameId('body', kind, canonical(body) ?? '{}');

/** JSON with sorted keys, without nulls and empty maps; undefined for what counts as absent. */
function canonical(value: unknown): string | undefined {
  if (value === null || value === undefined) return undefined;
  if (typeof value === 'string') return quoted(value);
  if (typeof value !== 'object') return JSON.stringify(value);
  if (Array.isArray(value)) return `[${value.map((item) => canonical(item) ?? 'null').join(',')}]`;
  let fields = '';
  for (const key of sortedKeys(value)) {
    const text = canonical((value as Record<string, unknown>)[key]);
    if (text !== undefined) fields += `${fields === '' ? '' : ','}${quoted(key)}:${text}`;
  }
  return fields === '' ? undefined : `{${fields}}`;
}

const NOTHING_TO_ESCAPE = /^[ !#-[\]-~]*$/;
const quoted = (text: string): string => (NOTHING_TO_ESCAPE.test(text) ? `"${text}"` : JSON.stringify(text));

/** In the order of their quoted forms, which only keys of plain words share with the keys themselves. */
function sortedKeys(value: object): string[] {
  const keys = Object.keys(value);
  if (!keys.every(isPlain)) return keys.sort((a, b) => (quoted(a) < quoted(b) ? -1 : 1));
  return keys.every((key, i) => i === 0 || (keys[i - 1] as string) < key) ? keys : keys.sort();
}

const PLAIN = /^[A-Za-z0-9_]*$/;
const isPlain = (key: string): boolean => PLAIN.test(key);
