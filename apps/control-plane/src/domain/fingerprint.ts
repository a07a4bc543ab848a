import { nameId } from '@baton/contracts';

/** Equal for bodies that say the same: neither the order of keys nor fields without a value count. */
export const fingerprintOf = (body: object): string => nameId(canonical(body));

function canonical(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonical).join(',')}]`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  const said = Object.entries(value).filter(([, v]) => v !== undefined && v !== null);
  return `{${said
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([k, v]) => `${JSON.stringify(k)}:${canonical(v)}`)
    .join(',')}}`;
}
