import { nameId } from '@baton/contracts';

/**
 * What makes two requests the same body: equal fields, whatever their order, however the instant was written, absent or null or an empty map.
 * Nothing that was derived at receipt takes part, so a repeat is the same after the catalog moved or a key was rotated.
 */
export const fingerprint = (kind: string, body: object): string => nameId('body', kind, canonical(body) ?? '{}');

/** JSON with sorted keys, without nulls and empty maps; undefined for what counts as absent. */
function canonical(value: unknown): string | undefined {
  if (value === null || value === undefined) return undefined;
  if (Array.isArray(value)) return `[${value.map((item) => canonical(item) ?? 'null').join(',')}]`;
  if (typeof value !== 'object') return JSON.stringify(value);
  const fields: string[] = [];
  for (const key of Object.keys(value)) {
    const text = canonical((value as Record<string, unknown>)[key]);
    if (text !== undefined) fields.push(`${quoted(key)}:${text}`);
  }
  return fields.length === 0 ? undefined : `{${fields.sort().join(',')}}`;
}

const NOTHING_TO_ESCAPE = /^[A-Za-z0-9_]*$/;
const quoted = (key: string): string => (NOTHING_TO_ESCAPE.test(key) ? `"${key}"` : JSON.stringify(key));
