import { hash } from 'node:crypto';

/** The variant of a UUID (binary 10), by the last two bits of what stands in its place. */
const VARIANTS = '89ab';

/** A name-based id with the shape of a UUID (version 8: SHA-256). The same parts always give the same id. */
export function nameId(...parts: readonly (string | number)[]): string {
  const hex = hash('sha256', JSON.stringify(parts));
  const variant = VARIANTS[Number.parseInt(hex.charAt(16), 16) & 3];
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-8${hex.slice(13, 16)}-${variant}${hex.slice(17, 20)}-${hex.slice(20, 32)}`;
}
