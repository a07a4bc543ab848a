import type { Database, Tx } from '../ports';

export interface OutboxRow {
  readonly id: string;
  readonly createdAtMs: number;
  readonly topic: string;
  readonly key: string;
  readonly headers: Record<string, string>;
  readonly value: string;
}

/** Names a key of a topic; topics have no spaces. */
export const orderKey = (row: { readonly topic: string; readonly key: string }): string => `${row.topic} ${row.key}`;

/**
 * A transaction over what is unsent. Its index is walked in order, entry by entry: that stops at a limit, and leaves out for good what was sent since. From
 * the figures of a partition that was empty when they were taken the planner would gladly build a bitmap, which meets all that was sent since the last
 * vacuum each time, or sort a whole backlog for its first thousand.
 */
const overOutbox = async <R>(database: Database, work: (tx: Tx) => Promise<R>): Promise<R> =>
  database.untenanted(async (tx) => {
    // Asked for first, and not waited for by itself: `then` is what sends it through Prisma.
    const walking = tx
      .$queryRawUnsafe(
        "SELECT set_config('enable_bitmapscan', 'off', true), set_config('enable_seqscan', 'off', true), set_config('enable_sort', 'off', true)",
      )
      .then(() => undefined);
    const [, result] = await Promise.all([walking, work(tx)]);
    return result;
  });

const COLUMNS = `id::text, (extract(epoch FROM created_at) * 1000)::float8 AS "createdAtMs", topic, key, headers, value`;

/**
 * The first rows that were not sent, in the order of their ids, without those of some keys; at most `rowsMax`, and as few as fill `bytesMax`
 * (always one at least). By `published_at IS NULL`, never by a cursor: a lower id may commit later. The limit stands in the text, so that the
 * one plan for all runs knows it.
 */
export const unpublished = (database: Database, exceptKeys: readonly string[], rowsMax: number, bytesMax: number): Promise<OutboxRow[]> =>
  overOutbox(database, (tx) =>
    tx.$queryRawUnsafe<OutboxRow[]>(
      `SELECT ${COLUMNS} FROM (
       SELECT *, sum(octet_length(value)) OVER (ORDER BY id) - octet_length(value) AS bytes_before FROM (
         SELECT id, created_at, topic, key, headers, value FROM outbox WHERE published_at IS NULL AND NOT (topic || ' ' || key = ANY ($1::text[])) ORDER BY id LIMIT ${rowsMax}
       ) AS first
     ) AS summed WHERE bytes_before < $2::bigint ORDER BY summed.id`,
      [...exceptKeys],
      bytesMax,
    ),
  );

/** The first unsent row of each of these keys. */
export const headsOf = (database: Database, keys: readonly string[]): Promise<OutboxRow[]> =>
  overOutbox(database, (tx) =>
    tx.$queryRawUnsafe<OutboxRow[]>(
      `SELECT ${COLUMNS} FROM (SELECT DISTINCT ON (topic, key) * FROM outbox WHERE published_at IS NULL AND topic || ' ' || key = ANY ($1::text[]) ORDER BY topic, key, id) AS head ORDER BY head.id`,
      [...keys],
    ),
  );

/** How many rows wait, as far as they are counted, and for how many seconds the first of them has. */
export const waitingRows = async (database: Database): Promise<{ count: number; seconds: number }> => {
  const [row] = await overOutbox(database, (tx) =>
    tx.$queryRawUnsafe<{ count: number; age: number | null }[]>(
      `SELECT count(*)::int AS count, extract(epoch FROM now() - min(created_at))::float8 AS age FROM (SELECT created_at FROM outbox WHERE published_at IS NULL ORDER BY id LIMIT 10000) AS waiting`,
    ),
  );
  return { count: row?.count ?? 0, seconds: row?.age ?? 0 };
};

/**
 * Marks what Kafka acknowledged. Gives how many of the rows another relay had marked before: this process was not alone, so a message of it may
 * now stand *behind* a newer one of its key, and compaction would keep the older. The newest sent row of each such key is therefore
 * made unsent again: whoever leads sends it once more, and it stands last. A relay that was just sending a still newer row of that key
 * sees the row below it unsent when it marks, and leaves its own unsent too, so that both go out again in their order.
 */
export const mark = (database: Database, rows: readonly OutboxRow[]): Promise<number> =>
  rows.length === 0 ? Promise.resolve(0) : overOutbox(database, (tx) => markIn(tx, rows));

async function markIn(tx: Tx, rows: readonly OutboxRow[]): Promise<number> {
  // One at a time, and each in a new statement after it: what the other one did is seen.
  await tx.$executeRawUnsafe("SELECT pg_advisory_xact_lock(hashtext('baton_relay_mark'))");
  const marked = await tx.$queryRawUnsafe<{ id: string }[]>(
    `WITH below AS MATERIALIZED (
       SELECT topic, key, min(id) AS id FROM outbox WHERE published_at IS NULL AND id < $4::bigint AND NOT id = ANY ($1::bigint[]) GROUP BY topic, key
     )
     UPDATE outbox SET published_at = now() WHERE ${OF_ROWS} AND published_at IS NULL
       AND NOT EXISTS (SELECT FROM below WHERE below.topic = outbox.topic AND below.key = outbox.key AND below.id < outbox.id)
     RETURNING id::text`,
    ...ofRows(rows),
    rows.at(-1)?.id,
  );
  if (marked.length === rows.length) return 0;
  const mine = new Set(marked.map((row) => row.id));
  return sendNewestAgain(
    tx,
    rows.filter((row) => !mine.has(row.id)),
  );
}

async function sendNewestAgain(tx: Tx, rows: readonly OutboxRow[]): Promise<number> {
  const [result] = await tx.$queryRawUnsafe<{ repeats: number }[]>(
    `WITH repeats AS MATERIALIZED (SELECT topic, key FROM outbox WHERE ${OF_ROWS} AND published_at IS NOT NULL),
     again AS (
       UPDATE outbox SET published_at = NULL WHERE (id, created_at) IN (
         SELECT DISTINCT ON (topic, key) id, created_at FROM outbox WHERE published_at IS NOT NULL AND (topic, key) IN (SELECT topic, key FROM repeats) ORDER BY topic, key, id DESC
       )
     )
     SELECT count(*)::int AS repeats FROM repeats`,
    ...ofRows(rows),
  );
  return result?.repeats ?? 0;
}

/** The bounds let the planner look at the few partitions that the rows lie in. */
const OF_ROWS = 'id = ANY ($1::bigint[]) AND created_at BETWEEN to_timestamp($2::float8) AND to_timestamp($3::float8)';

function ofRows(rows: readonly OutboxRow[]): [string[], number, number] {
  const times = rows.map((row) => row.createdAtMs);
  return [rows.map((row) => row.id), Math.floor(Math.min(...times) / 1000) - 1, Math.ceil(Math.max(...times) / 1000) + 1];
}
