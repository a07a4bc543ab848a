import { InvalidEvent, type InvalidEventReason, type Received } from '@baton/contracts';
import { InfrastructureError } from '../ports';

/** How often a batch that fails for no known reason is tried as a whole before it is halved. */
const ATTEMPTS = 2;
const ERROR_TEXT_MAX = 500;

export interface Refused {
  readonly event: Received;
  readonly reason: InvalidEventReason;
  readonly error: string;
}

/**
 * Applies events in their order: all at once, and when that fails for a reason that is not the infrastructure's, in halves, until the one
 * bad event stands alone. Gives the refused ones. Throws `InfrastructureError` alone: then nothing of the failing part was applied.
 */
export async function applyHalving(
  events: readonly Received[],
  applyOnce: (events: readonly Received[]) => Promise<void>,
): Promise<Refused[]> {
  if (events.length === 0) return [];
  const failure = await attempts(events, applyOnce);
  if (!failure) return [];
  if (events.length === 1) return [{ event: events[0] as Received, ...failure }];
  const half = events.length >> 1;
  const first = await applyHalving(events.slice(0, half), applyOnce);
  const second = await applyHalving(events.slice(half), applyOnce);
  return [...first, ...second];
}

interface Failure {
  readonly reason: InvalidEventReason;
  readonly error: string;
}

async function attempts(events: readonly Received[], applyOnce: (events: readonly Received[]) => Promise<void>): Promise<Failure | null> {
  for (let attempt = 1; ; attempt++) {
    try {
      await applyOnce(events);
      return null;
    } catch (error) {
      if (error instanceof InfrastructureError) throw error;
      if (error instanceof InvalidEvent) return failureOf(error);
      if (attempt >= ATTEMPTS) return failureOf(error);
    }
  }
}

/** A handler may throw anything at all, null too: here it becomes text and can harm nobody further up. */
export function failureOf(error: unknown): Failure {
  if (error instanceof InvalidEvent) return { reason: error.reason, error: bounded(error.message) };
  return { reason: 'handler', error: bounded(textOf(error)) };
}

function textOf(error: unknown): string {
  try {
    return error instanceof Error ? `${error.name}: ${error.message}` : `thrown: ${String(error)}`;
  } catch {
    return 'thrown: something that cannot be written as text';
  }
}

/** Postgres adds the whole row after DETAIL, personal fields too: it does not belong in headers and logs. */
const bounded = (text: string): string => text.replace(/\s*DETAIL:[^]*$/i, '').slice(0, ERROR_TEXT_MAX);
