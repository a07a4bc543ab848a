import { Problem } from '@baton/platform';

const QUOTED = /^"((?:[\x20\x21\x23-\x5b\x5d-\x7e]|\\["\\])*)"$/;
const BARE = /^[\x21\x23-\x7e][\x20-\x7e]*$/;
const MAX = 255;

/** The header `Idempotency-Key`, a quoted string as the IETF draft has it, or bare as most clients send it; null when it is absent. */
export function readIdempotencyKey(header: string | string[] | undefined): string | null {
  if (header === undefined) return null;
  const text = typeof header === 'string' ? header.trim() : '';
  const quoted = QUOTED.exec(text)?.[1]?.replace(/\\(.)/g, '$1');
  const key = quoted ?? (BARE.test(text) ? text : '');
  if (key === '' || key.length > MAX) throw new Problem('idempotency_key_invalid');
  return key;
}
