import { AMOUNT_MAX_MINOR } from '@baton/contracts';
import { type Refusal, type Unreadable, unreadable } from './claim';
import { readInstant } from './instant';

const MINUTE_MS = 60_000;
const DAY_MS = 24 * 60 * MINUTE_MS;
export const AGE_MAX_MS = 400 * DAY_MS;
export const AHEAD_MAX_MS = 5 * MINUTE_MS;

/** A text that says something, or null: senders' templates fill what they do not know with an empty string. */
export const said = (text: string | null | undefined): string | null =>
  text === null || text === undefined || text.trim() === '' ? null : text;

export const isMinor = (value: unknown, min: number): value is number =>
  typeof value === 'number' && Number.isInteger(value) && value >= min && value <= AMOUNT_MAX_MINOR;

/** When it happened and whether that can be accepted; no `occurred_at` means the time of receipt. */
export function timing(
  occurredAt: string | null | undefined,
  receivedAtMs: number,
): { readonly occurredAtMs: number; readonly sent: boolean; readonly refusal: Refusal | null } | Unreadable {
  const text = said(occurredAt);
  if (text === null) return { occurredAtMs: receivedAtMs, sent: false, refusal: null };
  const occurredAtMs = readInstant(text);
  if (occurredAtMs === null)
    return unreadable(
      'malformed',
      'occurred_at must be a real RFC 3339 instant with an offset, such as 2026-01-31T12:00:00Z or 2026-01-31T14:00:00+02:00.',
      'occurred_at',
    );
  return { occurredAtMs, sent: true, refusal: outside(occurredAtMs, receivedAtMs) };
}

function outside(occurredAtMs: number, receivedAtMs: number): Refusal | null {
  if (occurredAtMs < receivedAtMs - AGE_MAX_MS)
    return { code: 'too_old', detail: 'occurred_at lies more than 400 days back.', field: 'occurred_at' };
  if (occurredAtMs > receivedAtMs + AHEAD_MAX_MS)
    return { code: 'in_future', detail: 'occurred_at lies more than 5 minutes ahead of our clock.', field: 'occurred_at' };
  return null;
}

/** Without the fields that are null or undefined. */
export function present<T extends object>(value: T): { [K in keyof T]: NonNullable<T[K]> } {
  const kept: Partial<T> = {};
  for (const key of Object.keys(value) as (keyof T)[]) if (value[key] !== null && value[key] !== undefined) kept[key] = value[key];
  return kept as { [K in keyof T]: NonNullable<T[K]> };
}
