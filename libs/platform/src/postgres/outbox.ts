import { encode, type Outgoing, validated } from '@baton/contracts';
import type { Tx } from '../ports';

/**
 * Writes events beside the effect that they tell of, in the given order; the relay sends them after the commit. Lock an entity's row before
 * writing its event, so that ids follow versions. What consumers would refuse is refused here: throws `InvalidEvent`.
 * An event's own trace goes before the batch's.
 */
export async function writeOutbox(
  tx: Tx,
  events: readonly (Outgoing & { readonly traceparent?: string })[],
  traceparent?: string,
): Promise<number> {
  if (events.length === 0) return 0;
  const rows = events.map((event) => outboxRow(event, event.traceparent ?? traceparent));
  return tx.$executeRawUnsafe(
    `INSERT INTO outbox (topic, key, headers, value)
     SELECT r.value->>'topic', r.value->>'key', r.value->'headers', r.value->>'value' FROM jsonb_array_elements($1::jsonb) WITH ORDINALITY AS r(value, n) ORDER BY r.n`,
    JSON.stringify(rows),
  );
}

/** A row of the outbox, for a store that writes it in the same statement as its effect. Throws `InvalidEvent`. */
export function outboxRow(
  event: Outgoing,
  traceparent?: string,
): { readonly topic: string; readonly key: string; readonly value: string; readonly headers: object } {
  validated(event.contract, event.data);
  const { key, value, headers } = encode(event, traceparent);
  return { topic: event.contract.topic, key, value, headers };
}
