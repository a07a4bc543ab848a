import { setTimeout as sleep } from 'node:timers/promises';
import { type Database, InfrastructureError } from '../ports';
import { type OutgoingMessage, type Producer, UnsendableMessage } from '../kafka/producer';
import { crashPoint } from '../run/crash';
import { counter, gauge } from '../run/metrics';
import type { Log } from '../run/log';
import type { Part } from '../run/run';
import { BlockedKeys } from './relay-blocked';
import { Lead } from './relay-lead';
import { headsOf, mark, orderKey, type OutboxRow, unpublished, waitingRows } from './relay-rows';

export interface RelayOptions {
  readonly service: string;
  /** The worker role's URL: the advisory lock lies on a connection of its own. */
  readonly url: string;
  readonly database: Database;
  readonly producer: Producer;
  readonly log: Log;
}

const IDLE_MIN_MS = 25;
const IDLE_MAX_MS = 200;
const ELECTION_EVERY_MS = 500;
const BACKOFF_MAX_MS = 5_000;
const MAINTAIN_EVERY_MS = 10 * 60_000;
const MEASURE_EVERY_MS = 2_000;
const SEND_DEADLINE_MS = 5_000;
/** A round costs as much for a dozen rows as for a hundred: while that many come, one begins at most every so often. Few rows go at once. */
const PACE_MS = 10;
const PACED_FROM = 10;
const BATCH_MAX = 1_000;
const BATCH_MAX_BYTES = 4 * 1024 * 1024;

/**
 * Outbox -> Kafka, in the order of ids. One relay of a service is active, elected by an advisory lock: two at once would send version 2 of an
 * entity before version 1. A message that Kafka refuses for good stops its key alone. What a crash leaves unmarked is sent again.
 *
 * Promised: every row is sent at least once, and no version of a key is sent for the first time before the versions below it were.
 * What remains are repeats: a leader that was cut off from Postgres (or frozen) while its request to Kafka was on its way may deliver an older
 * message behind a newer one. It finds that out when it marks, and the newest message of the key is sent once more (`mark`), so that the topic
 * ends with it. Only a process that is cut off, delivers late *and* dies before it marks leaves the older one last; consumers ignore what is
 * not newer than what they have.
 */
export class OutboxRelay implements Part {
  readonly name = 'relay';
  private stopping = false;
  private running: Promise<void> = Promise.resolve();
  private woken = false;
  private endPause: (() => void) | null = null;
  private maintainedMs = 0;
  private measuredMs = 0;
  private readonly lead: Lead;
  private readonly blocked = new BlockedKeys();
  private readonly sent = counter('baton_outbox_sent_total', 'Outbox rows sent');
  private readonly repeated = counter('baton_outbox_repeated_total', 'Outbox rows that another relay had sent as well');
  private readonly failed = counter('baton_outbox_failures_total', 'Failed sends, by reason', ['reason']);
  private readonly leads = gauge('baton_outbox_leader', '1 in the replica whose relay is active');
  private readonly waiting = gauge('baton_outbox_unpublished', 'Outbox rows not yet sent (at most 10,000 are counted)');
  private readonly oldest = gauge('baton_outbox_oldest_seconds', 'Age of the oldest outbox row not yet sent');

  constructor(private readonly options: RelayOptions) {
    this.lead = new Lead(options.url, `${options.service} relay`);
  }

  async start(): Promise<void> {
    this.running = this.loop();
  }

  async stop(): Promise<void> {
    this.stopping = true;
    this.endPause?.();
    await this.running;
  }

  /** After a local commit: do not wait for the next look. */
  wake(): void {
    this.woken = true;
    if (this.lead.isHeld) this.endPause?.();
  }

  private async loop(): Promise<void> {
    let idleMs = IDLE_MIN_MS;
    let backoffMs = 100;
    while (!this.stopping) {
      try {
        await this.measure();
        const leads = await this.elected();
        if (!leads) await this.pause(ELECTION_EVERY_MS);
        else {
          this.woken = false;
          const startedMs = performance.now();
          const count = await this.round();
          idleMs = count > 0 ? IDLE_MIN_MS : Math.min(idleMs * 1.5, IDLE_MAX_MS);
          if (count === 0 && !this.woken) await this.pause(idleMs);
          const earlyMs = PACE_MS - (performance.now() - startedMs);
          if (count >= PACED_FROM && count < BATCH_MAX && earlyMs > 1) await sleep(earlyMs);
        }
        backoffMs = 100;
      } catch (error) {
        this.report(error, backoffMs);
        await this.pause(backoffMs * (0.5 + Math.random()));
        backoffMs = Math.min(backoffMs * 2, BACKOFF_MAX_MS);
      }
    }
    await this.lead.drop();
    this.leads.set(0);
  }

  private async elected(): Promise<boolean> {
    const led = this.lead.isHeld;
    const leads = await this.lead.take();
    this.leads.set(leads ? 1 : 0);
    if (leads && !led) this.options.log.info('this relay is active now');
    return leads;
  }

  /** Maintains, reads, sends, marks. Gives how many rows were sent. */
  private async round(): Promise<number> {
    await this.lead.keep();
    await this.maintain();
    const retried = await this.retryBlocked();
    const rows = await unpublished(this.options.database, this.blocked.keys(), BATCH_MAX, BATCH_MAX_BYTES);
    return retried + (await this.deliver(rows));
  }

  /** Keys whose waiting time is over: their first message alone, so that one that is still refused costs the others nothing. */
  private async retryBlocked(): Promise<number> {
    const due = this.blocked.due();
    if (due.length === 0) return 0;
    const heads = await headsOf(this.options.database, due);
    const found = new Set(heads.map(orderKey));
    for (const key of due) if (!found.has(key)) this.blocked.free(key);
    let count = 0;
    for (const head of heads) count += await this.deliver([head]);
    return count;
  }

  /**
   * Sends rows in one request. Where Kafka refuses one of them for good, in halves, until the refused ones stand alone: the other keys must not
   * wait for them, and the later rows of their own key must.
   */
  private async deliver(rows: readonly OutboxRow[]): Promise<number> {
    if (rows.length === 0) return 0;
    const leftMs = await this.lead.confirm();
    crashPoint('relay:sending');
    try {
      await this.options.producer.send(rows.map(messageOf), Math.min(leftMs, SEND_DEADLINE_MS));
    } catch (error) {
      if (!(error instanceof UnsendableMessage)) throw error;
      if (rows.length === 1) return this.refuse(rows[0] as OutboxRow, error);
      const half = rows.length >> 1;
      const first = await this.deliver(rows.slice(0, half));
      return first + (await this.deliver(rows.slice(half).filter((row) => !this.blocked.has(orderKey(row)))));
    }
    crashPoint('relay:published');
    const repeats = await mark(this.options.database, rows);
    crashPoint('relay:marked');
    if (repeats > 0) {
      this.repeated.inc(repeats);
      this.options.log.warn({ repeats }, 'another relay had sent these rows as well: the newest of their keys are sent again');
    }
    for (const row of rows) this.blocked.free(orderKey(row));
    this.sent.inc(rows.length);
    return rows.length;
  }

  private refuse(row: OutboxRow, error: Error): number {
    this.failed.inc({ reason: 'unsendable' });
    const waitMs = this.blocked.block(orderKey(row));
    this.options.log.error(
      { topic: row.topic, messageKey: row.key, outboxId: row.id, error: error.message, waitMs },
      'Kafka refuses this message: its key waits',
    );
    return 0;
  }

  private async maintain(): Promise<void> {
    const now = performance.now();
    if (this.maintainedMs > 0 && now - this.maintainedMs < MAINTAIN_EVERY_MS) return;
    this.maintainedMs = now;
    await this.options.database.untenanted((tx) => tx.$queryRawUnsafe('SELECT baton_outbox_maintain()'));
  }

  private async measure(): Promise<void> {
    const now = performance.now();
    if (this.measuredMs > 0 && now - this.measuredMs < MEASURE_EVERY_MS) return;
    this.measuredMs = now;
    const { count, seconds } = await waitingRows(this.options.database);
    this.waiting.set(count);
    this.oldest.set(seconds);
  }

  private report(error: unknown, backoffMs: number): void {
    this.leads.set(this.lead.isHeld ? 1 : 0);
    const known = error instanceof InfrastructureError;
    this.failed.inc({ reason: known ? `${error.store}:${error.kind}` : 'unforeseen' });
    if (known) this.options.log.warn({ error: error.message, backoffMs }, 'the relay waits');
    else this.options.log.error({ err: error, backoffMs }, 'the relay failed in an unforeseen way');
  }

  private pause(ms: number): Promise<void> {
    if (this.stopping) return Promise.resolve();
    return new Promise((resolve) => {
      const end = (): void => {
        clearTimeout(timer);
        this.endPause = null;
        resolve();
      };
      const timer = setTimeout(end, ms);
      this.endPause = end;
    });
  }
}

const messageOf = (row: OutboxRow): OutgoingMessage => ({ topic: row.topic, key: row.key, value: row.value, headers: row.headers });
