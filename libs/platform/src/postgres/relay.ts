import { Client } from 'pg';
import { type Database, InfrastructureError } from '../ports';
import type { OutgoingMessage, Producer } from '../kafka/producer';
import { UnsendableMessage } from '../kafka/producer';
import { crashPoint } from '../run/crash';
import { counter, gauge } from '../run/metrics';
import type { Log } from '../run/log';
import type { Part } from '../run/run';

export interface RelayOptions {
  readonly service: string;
  /** The worker role's URL: the advisory lock lies on a connection of its own. */
  readonly url: string;
  readonly database: Database;
  readonly producer: Producer;
  readonly log: Log;
  readonly batchMax?: number;
}

interface OutboxRow {
  readonly id: bigint;
  readonly created_at: Date;
  readonly topic: string;
  readonly key: string;
  readonly headers: Record<string, string>;
  readonly value: string;
}

const IDLE_MIN_MS = 25;
const IDLE_MAX_MS = 200;
const ELECTION_EVERY_MS = 500;
const BACKOFF_MAX_MS = 5_000;
const MAINTAIN_EVERY_MS = 10 * 60_000;
/** The server drops the lock's connection when its holder has said nothing for this long: a frozen leader loses the lock. */
const LOCK_SILENCE_MS = 10_000;
const LOCK = "hashtext('baton_relay')";

/**
 * Outbox -> Kafka, in the order of ids. One relay of a service is active, elected by an advisory lock: two would send version 2 of an
 * entity before version 1. Rows are read by `published_at IS NULL`, never by a cursor: a lower id may commit later. A message that Kafka
 * refuses for good stops its key alone. What a crash leaves unmarked is sent again: duplicates, never a loss.
 * A leader that was frozen between its last look at the lock and its send may repeat an older version late; consumers ignore what is not newer.
 */
export class OutboxRelay implements Part {
  readonly name = 'relay';
  private stopping = false;
  private running: Promise<void> = Promise.resolve();
  private lock: Client | null = null;
  private lockLost = false;
  private wakeUp: (() => void) | null = null;
  private readonly blocked = new Map<string, { untilMs: number; backoffMs: number }>();
  private maintainedMs = 0;
  private readonly sent = counter('baton_outbox_sent_total', 'Outbox rows sent');
  private readonly failed = counter('baton_outbox_failures_total', 'Failed sends, by reason', ['reason']);
  private readonly leads = gauge('baton_outbox_leader', '1 in the replica whose relay is active');
  private readonly waiting = gauge('baton_outbox_unpublished', 'Outbox rows not yet sent (at most 10,000 are counted)');
  private readonly oldest = gauge('baton_outbox_oldest_seconds', 'Age of the oldest outbox row not yet sent');
  private measuredMs = 0;

  constructor(private readonly options: RelayOptions) {}

  async start(): Promise<void> {
    this.running = this.loop();
  }

  async stop(): Promise<void> {
    this.stopping = true;
    this.wake();
    await this.running;
  }

  /** After a local commit: do not wait for the next look. */
  wake(): void {
    this.wakeUp?.();
  }

  private async loop(): Promise<void> {
    let idleMs = IDLE_MIN_MS;
    let backoffMs = 100;
    while (!this.stopping) {
      try {
        await this.measure();
        if (!(await this.elected())) {
          await this.pause(ELECTION_EVERY_MS);
          continue;
        }
        await this.maintain();
        const count = await this.round();
        idleMs = count > 0 ? IDLE_MIN_MS : Math.min(idleMs * 1.5, IDLE_MAX_MS);
        backoffMs = 100;
        if (count === 0) await this.pause(idleMs);
      } catch (error) {
        this.failed.inc({ reason: error instanceof InfrastructureError ? `${error.store}:${error.kind}` : 'unforeseen' });
        if (error instanceof InfrastructureError) this.options.log.warn({ error: error.message, backoffMs }, 'the relay waits');
        else this.options.log.error({ err: error, backoffMs }, 'the relay failed in an unforeseen way');
        await this.pause(backoffMs, false);
        backoffMs = Math.min(backoffMs * 2, BACKOFF_MAX_MS);
      }
    }
    await this.resign();
  }

  /** Reads, sends, marks. Gives how many rows were sent. */
  private async round(): Promise<number> {
    const rows = await this.unpublished();
    if (rows.length === 0) return 0;
    await this.confirmLead();
    let done: readonly OutboxRow[];
    try {
      await this.options.producer.send(rows.map(messageOf));
      done = rows;
    } catch (error) {
      if (!(error instanceof UnsendableMessage)) throw error;
      done = await this.keyByKey(rows);
    }
    crashPoint('relay:published');
    await this.mark(done);
    this.sent.inc(done.length);
    return done.length;
  }

  private unpublished(): Promise<OutboxRow[]> {
    const now = Date.now();
    const keys = [...this.blocked].filter(([, b]) => b.untilMs > now).map(([key]) => key);
    return this.options.database.untenanted((tx) =>
      tx.$queryRawUnsafe<OutboxRow[]>(
        `SELECT id, created_at, topic, key, headers, value FROM outbox WHERE published_at IS NULL AND NOT (topic || ' ' || key = ANY ($1::text[])) ORDER BY id LIMIT $2::int`,
        keys,
        this.options.batchMax ?? 1_000,
      ),
    );
  }

  /** One message of the batch cannot be sent: the others must not wait for it, and those of its key must. */
  private async keyByKey(rows: readonly OutboxRow[]): Promise<OutboxRow[]> {
    const done: OutboxRow[] = [];
    const stopped = new Set<string>();
    for (const row of rows) {
      const key = `${row.topic} ${row.key}`;
      if (stopped.has(key)) continue;
      try {
        await this.options.producer.send([messageOf(row)]);
        done.push(row);
        this.blocked.delete(key);
      } catch (error) {
        if (!(error instanceof UnsendableMessage)) {
          await this.mark(done);
          throw error;
        }
        stopped.add(key);
        const backoffMs = Math.min((this.blocked.get(key)?.backoffMs ?? 500) * 2, 60_000);
        this.blocked.set(key, { untilMs: Date.now() + backoffMs, backoffMs });
        this.failed.inc({ reason: 'unsendable' });
        this.options.log.error({ topic: row.topic, key: row.key, outboxId: row.id.toString(), error: error.message }, 'Kafka refuses this message: its key waits');
      }
    }
    return done;
  }

  private async mark(rows: readonly OutboxRow[]): Promise<void> {
    if (rows.length === 0) return;
    const times = rows.map((row) => row.created_at.getTime());
    await this.options.database.untenanted((tx) =>
      // The bounds let the planner look at the few partitions that the rows lie in; JavaScript's dates have lost the microseconds.
      tx.$executeRawUnsafe(
        `UPDATE outbox SET published_at = now() WHERE id = ANY ($1::bigint[]) AND created_at BETWEEN $2::timestamptz - interval '1 second' AND $3::timestamptz + interval '1 second' AND published_at IS NULL`,
        rows.map((row) => row.id.toString()),
        new Date(Math.min(...times)).toISOString(),
        new Date(Math.max(...times)).toISOString(),
      ),
    );
  }

  private async elected(): Promise<boolean> {
    if (this.lock && !this.lockLost) return true;
    await this.resign();
    const client = new Client({ connectionString: this.options.url, connectionTimeoutMillis: 3_000, query_timeout: 5_000, keepAlive: true, application_name: `${this.options.service} relay` });
    client.on('error', () => {
      if (this.lock === client) this.lockLost = true;
    });
    client.on('end', () => {
      if (this.lock === client) this.lockLost = true;
    });
    try {
      await client.connect();
      await client.query(`SET idle_session_timeout = ${LOCK_SILENCE_MS}`);
      const { rows } = await client.query<{ locked: boolean }>(`SELECT pg_try_advisory_lock(${LOCK}) AS locked`);
      if (rows[0]?.locked) {
        this.lock = client;
        this.lockLost = false;
        this.leads.set(1);
        this.options.log.info('this relay is active now');
        return true;
      }
    } catch (error) {
      await client.end().catch(() => undefined);
      throw new InfrastructureError('postgres', 'connection', error);
    }
    await client.end().catch(() => undefined);
    return false;
  }

  /** Before each send, on the lock's own connection: who no longer holds the lock may not send. It also breaks the silence. */
  private async confirmLead(): Promise<void> {
    try {
      if (this.lockLost || !this.lock) throw new Error('the lock is gone');
      await this.lock.query('SELECT 1');
    } catch (error) {
      this.lockLost = true;
      throw new InfrastructureError('postgres', 'connection', error);
    }
  }

  private async resign(): Promise<void> {
    const client = this.lock;
    this.lock = null;
    this.leads.set(0);
    await client?.end().catch(() => undefined);
  }

  private async maintain(): Promise<void> {
    const now = Date.now();
    if (now - this.lastConfirmMs > LOCK_SILENCE_MS / 4) {
      this.lastConfirmMs = now;
      await this.confirmLead();
    }
    if (now - this.maintainedMs < MAINTAIN_EVERY_MS) return;
    this.maintainedMs = now;
    await this.options.database.untenanted((tx) => tx.$queryRawUnsafe('SELECT baton_outbox_maintain()'));
  }
  private lastConfirmMs = 0;

  private async measure(): Promise<void> {
    const now = Date.now();
    if (now - this.measuredMs < 2_000) return;
    this.measuredMs = now;
    const [row] = await this.options.database.untenanted((tx) =>
      tx.$queryRawUnsafe<{ count: number; age: number | null }[]>(
        `SELECT count(*)::int AS count, extract(epoch FROM now() - min(created_at))::float8 AS age FROM (SELECT created_at FROM outbox WHERE published_at IS NULL ORDER BY id LIMIT 10000) AS waiting`,
      ),
    );
    this.waiting.set(row?.count ?? 0);
    this.oldest.set(row?.age ?? 0);
  }

  private pause(ms: number, wakeable = true): Promise<void> {
    return new Promise((resolve) => {
      const end = (): void => {
        clearTimeout(timer);
        this.wakeUp = null;
        resolve();
      };
      const timer = setTimeout(end, ms);
      if (wakeable || this.stopping) this.wakeUp = end;
    });
  }
}

const messageOf = (row: OutboxRow): OutgoingMessage => ({ topic: row.topic, key: row.key, value: row.value, headers: row.headers });
