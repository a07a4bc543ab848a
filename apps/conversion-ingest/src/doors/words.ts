import { Problem } from '@baton/platform';
import type { LineItemBody } from '../bodies';
import { readIdempotencyKey } from '../idempotency-key';
import { fingerprint } from '../domain/fingerprint';
import { instantText } from '../domain/instant';
import type { Told } from '../intake';
import type { DoorRequest } from './door';

/** What doors share between the words of their dialects and ours. Pure. */

const METADATA_MAX = 25;
const METADATA_VALUE_MAX = 500;
const METADATA_KEY_MAX = 64;
const FIRST_MS = Date.UTC(2000, 0, 1);
const LAST_MS = Date.UTC(2200, 0, 1);
const DAY_MS = 86_400_000;

/** Null for what counts as absent: senders' templates fill what they do not know with an empty text. */
export const said = (value: unknown): unknown => (value === undefined || (typeof value === 'string' && value.trim() === '') ? null : value);

/** ISO 4217 in capitals, however it was written; what is no text is left for the core to refuse. */
export const currencyOf = (value: unknown): unknown => (typeof value === 'string' ? value.trim().toUpperCase() : value);

/** Any JSON object as our metadata: values as texts of up to 500 characters, 25 entries; what is longer is cut. Undefined for anything else. */
export function metadataOf(value: unknown): Record<string, string> | undefined {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined;
  const entries = Object.entries(value)
    .filter(([key, one]) => key !== '' && key.length <= METADATA_KEY_MAX && one !== null && one !== undefined)
    .slice(0, METADATA_MAX)
    .map(([key, one]) => [key, cut(typeof one === 'string' ? one : JSON.stringify(one))] as const);
  return entries.length === 0 ? undefined : Object.fromEntries(entries);
}

/** Never in the middle of a surrogate pair: half of one cannot be stored. */
const cut = (text: string): string =>
  text.length <= METADATA_VALUE_MAX ? text : text.slice(0, METADATA_VALUE_MAX).replace(/[\uD800-\uDBFF]$/, '');

/** RFC 3339 of a time in ms since 1970; null where there is none. Throws a `Problem` that names the field. */
export function instantOf(ms: unknown, field: string): string | null {
  if (ms === undefined || ms === null) return null;
  if (typeof ms === 'number' && Number.isInteger(ms) && ms >= FIRST_MS && ms < LAST_MS) return instantText(ms);
  throw wrong(field, 'must be a time in whole milliseconds since 1970, such as 1767225600000');
}

/** That one field of the request cannot be read. */
export const wrong = (field: string, problem: string): Problem =>
  new Problem('malformed', `${field} ${problem}.`, { errors: [{ field, problem: `${field} ${problem}` }] });

/** One line of an order, where the dialect names a product or a category of the whole. */
export const lineOf = (
  sku: unknown,
  category: unknown,
  amountMinor: unknown,
): Partial<Record<keyof LineItemBody, unknown>>[] | undefined =>
  said(sku) === null && said(category) === null ? undefined : [{ sku: said(sku), category: said(category), amount_minor: amountMinor }];

/** `prefix:key`, where that is short enough to be an id; else a digest in the key's place. */
export function idOf(prefix: string, key: unknown): unknown {
  if (typeof key !== 'string') return key;
  return prefix.length + 1 + key.length <= 255 ? `${prefix}:${key}` : `${prefix}:${fingerprint('id', { key })}`;
}

const keyIn = ({ headers }: DoorRequest): string | null => readIdempotencyKey(headers['idempotency-key']);

/**
 * An id for what came without one: made of the sender's Idempotency-Key, else of all that was said, whatever its order. So a retry is the
 * same fact and pays once; a second purchase that says exactly the same cannot be told from one (see `isLateRepeat`).
 */
export function derivedId(door: string, request: DoorRequest, saying: object): string {
  const key = keyIn(request);
  return `${door}:${key === null ? fingerprint(`${door} derived`, saying) : fingerprint(`${door} key`, { key })}`;
}

/**
 * Whether a fact of a derived id repeats one of more than a day ago. Retries come sooner: this is most likely a second purchase, which must
 * not be paid unseen, nor be lost unseen. Its sender is told to give it an id.
 */
export function isLateRepeat(door: string, told: Told, request: DoorRequest): boolean {
  if (told.kind !== 'duplicate' || keyIn(request) !== null) return false;
  if (!String(told.answer['reversal_id'] ?? told.answer['external_id']).startsWith(`${door}:`)) return false;
  const first = Date.parse(String(told.answer['received_at']));
  return request.receivedAtMs - first > DAY_MS;
}

/** What a problem says, with the dialect's names for our fields. */
export function detailIn({ detail }: Problem, names: Readonly<Record<string, string>>): string {
  return detail.replace(/\b[a-z]+(?:_[a-z]+)*\b/g, (word) => names[word] ?? word);
}
