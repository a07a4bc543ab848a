import { randomUUID } from 'node:crypto';
import { parse, type Received, type Topic } from '@baton/contracts';
import type { Consumer, EachBatchPayload } from 'kafkajs';
import { counter } from '../run/metrics';
import type { Log } from '../run/log';
import type { Part } from '../run/run';
import { failureOf } from './apply';
import { type KafkaConnection, withAdmin, within } from './kafka';
import { type Head, Watermarks } from './watermarks';

/** How far one partition has been read. */
export interface FollowerPosition {
  readonly clusterId: string;
  readonly partition: number;
  /** The next one to read. */
  readonly offset: bigint;
}

/** For a picture that outlives the process: its position is kept with it. */
export interface FollowerResume {
  /** Where reading goes on. Null: nothing was read before. */
  readonly from: { readonly clusterId: string; readonly next: ReadonlyMap<number, bigint> } | null;
  /** The topic no longer holds what the position means: it was made anew, or lies in another cluster. Nothing more is applied. */
  readonly onLost: (reason: string) => void;
}

export interface FollowerOptions {
  readonly kafka: KafkaConnection;
  readonly topic: Topic;
  /** Unprefixed; each process follows under a name of its own, so that every one of them sees everything. */
  readonly group: string;
  /** Events in their order, then the keys of tombstones: a tombstone is an entity's last word. The same event may come again. */
  readonly apply: (events: readonly Received[], tombstoneKeys: readonly string[], read: FollowerPosition) => void;
  readonly log: Log;
  /**
   * `apply` threw. A picture in memory is incomplete from now on, and only reading anew from the beginning mends it: end the process. One that
   * was left as it was gets the same messages again.
   */
  readonly onDead: (reason: string) => void;
  /** Left out: each start reads from the beginning. */
  readonly resume?: FollowerResume;
}

const CONFIRM_EVERY_MS = 1_000;
const STOP_MAX_MS = 5_000;
/**
 * The group has this one member. After a connection fell silent it comes back under another member id, and the broker lets it in only when
 * the former one is given up: with the usual times that took a minute, for which the catalog stood still. 6 s is the least a broker allows.
 */
const ALONE = { sessionTimeout: 6_000, rebalanceTimeout: 6_000, heartbeatInterval: 1_500 };

/**
 * Reads a whole compacted topic and stays at its end, through any outage of the broker. Commits nothing: each start reads from the beginning,
 * or from the position that its user kept; after a lost connection it goes on where it was.
 */
export class TopicFollower implements Part {
  readonly name: string;
  /** Resolves once everything that was in the topic at the start has been applied. */
  readonly caughtUp: Promise<void>;
  private resolveCaughtUp!: () => void;
  private isCaughtUp = false;
  private confirmedMs: number | null = null;
  private readonly groupId: string;
  private readonly watermarks: Watermarks;
  private consumer: Consumer | null = null;
  private targets: ReadonlyMap<number, bigint> | null = null;
  private readonly positions: Map<number, bigint>;
  private clusterId = '';
  private confirming: NodeJS.Timeout | undefined;
  private stopping = false;
  private isLost = false;
  private readonly refused = counter('baton_follower_refused_total', 'Messages of a followed topic that could not be read', [
    'topic',
    'reason',
  ]);

  constructor(private readonly options: FollowerOptions) {
    this.name = `follower ${options.topic}`;
    this.groupId = `${options.kafka.prefix}${options.group}.${randomUUID()}`;
    this.watermarks = new Watermarks(options.kafka, options.topic);
    this.positions = new Map(options.resume?.from?.next);
    this.caughtUp = new Promise((resolve) => {
      this.resolveCaughtUp = resolve;
    });
  }

  async start(): Promise<void> {
    if (!this.options.resume) void this.join();
    this.confirm();
  }

  async stop(): Promise<void> {
    this.stopping = true;
    clearTimeout(this.confirming);
    await this.watermarks.close();
    await within(
      STOP_MAX_MS,
      this.consumer?.disconnect().catch(() => undefined),
    );
    await within(
      STOP_MAX_MS,
      withAdmin(this.options.kafka, (admin) => admin.deleteGroups([this.groupId])).catch(() => undefined),
    );
  }

  unready(): string | undefined {
    return this.isCaughtUp ? undefined : 'has not read the whole topic yet';
  }

  /** How long ago the broker last confirmed that nothing newer is there; Infinity before the first time. About a second while all is well. */
  stalenessMs(): number {
    return this.confirmedMs === null ? Infinity : Date.now() - this.confirmedMs;
  }

  private async join(): Promise<void> {
    const { kafka, topic, log } = this.options;
    while (!this.stopping) {
      const consumer = kafka.client.consumer({
        groupId: this.groupId,
        ...ALONE,
        maxWaitTimeInMs: 500,
        allowAutoTopicCreation: false,
        // A crash while we stop must not start it anew behind our back.
        retry: { retries: 10, initialRetryTime: 200, maxRetryTime: 5_000, restartOnFailure: async () => !this.stopping },
      });
      try {
        this.listen(consumer);
        await consumer.connect();
        await consumer.subscribe({ topics: [kafka.prefix + topic], fromBeginning: true });
        this.consumer = consumer;
        await consumer.run({ autoCommit: false, eachBatchAutoResolve: true, eachBatch: (payload) => this.eachBatch(payload) });
        if (this.stopping) await consumer.disconnect().catch(() => undefined);
        return;
      } catch (error) {
        log.warn({ error: error instanceof Error ? error.message : String(error), topic }, 'cannot follow the topic yet');
        await consumer.disconnect().catch(() => undefined);
        await new Promise((resolve) => setTimeout(resolve, 1_000));
      }
    }
  }

  private listen(consumer: Consumer): void {
    consumer.on(consumer.events.GROUP_JOIN, () => {
      // Nothing is committed: without this, each lost connection would begin anew and show old states again.
      for (const [partition, next] of this.positions)
        consumer.seek({ topic: this.options.kafka.prefix + this.options.topic, partition, offset: next.toString() });
    });
    consumer.on(consumer.events.CRASH, ({ payload }) => {
      if (payload.restart || this.stopping) return;
      this.options.log.warn({ topic: this.options.topic, err: payload.error }, 'the follower lost its consumer and takes another');
      void this.join();
    });
  }

  private async eachBatch({ batch, heartbeat }: EachBatchPayload): Promise<void> {
    const offset = BigInt(batch.lastOffset()) + 1n;
    if (this.isLost || (this.options.resume && offset <= (this.positions.get(batch.partition) ?? 0n))) return;
    try {
      const { events, tombstones } = this.read(batch.messages);
      this.options.apply(events, tombstones, { clusterId: this.clusterId, partition: batch.partition, offset });
    } catch (error) {
      this.options.onDead(`applying ${this.options.topic} failed: ${failureOf(error).error}`);
      // Passing over it would leave a hole that nobody sees.
      throw error;
    }
    this.positions.set(batch.partition, offset);
    this.checkCaughtUp();
    await heartbeat();
  }

  private read(messages: EachBatchPayload['batch']['messages']): { events: Received[]; tombstones: string[] } {
    const events: Received[] = [];
    const tombstones: string[] = [];
    for (const message of messages) {
      if (message.value === null) {
        if (message.key) tombstones.push(message.key.toString());
        continue;
      }
      try {
        events.push(parse(this.options.topic, message));
      } catch (error) {
        const { reason, error: text } = failureOf(error);
        this.refused.inc({ topic: this.options.topic, reason });
        this.options.log.warn(
          { topic: this.options.topic, offset: message.offset, reason, error: text },
          'a followed message cannot be read and is passed over',
        );
      }
    }
    return { events, tombstones };
  }

  /** Asks the broker for the end of the topic and compares. What kafkajs tells of its fetches would also count those that failed. */
  private confirm(): void {
    void (async () => {
      const askedMs = Date.now();
      // Messages that come while the broker is asked lie beyond the end that it tells.
      const before = new Map(this.positions);
      const head = await this.watermarks.ask();
      if (this.isLost || this.stopping) return;
      const ends = head?.ends ?? null;
      if (head && this.options.resume) this.meet(head, before, this.options.resume);
      if (this.isLost) return;
      if (ends !== null) {
        this.targets ??= ends;
        this.checkCaughtUp();
        if (this.isCaughtUp && this.hasReached(ends)) this.confirmedMs = askedMs;
      }
      if (!this.stopping)
        this.confirming = setTimeout(() => this.confirm(), this.isCaughtUp || ends === null ? CONFIRM_EVERY_MS : CONFIRM_EVERY_MS / 10);
    })();
  }

  /** Compares the topic with what was kept of it, and begins to read once they are known to belong together. */
  private meet({ clusterId, ranges }: Head, positions: ReadonlyMap<number, bigint>, { from, onLost }: FollowerResume): void {
    const isFirst = this.clusterId === '';
    const known = isFirst ? (from?.clusterId ?? clusterId) : this.clusterId;
    this.clusterId = clusterId;
    const reason =
      known === clusterId ? strangeness(ranges, positions) : `it lies in cluster ${clusterId}, and what was read lay in ${known}`;
    if (reason !== null) {
      this.isLost = true;
      this.confirmedMs = null;
      onLost(`${this.options.topic}: ${reason}`);
    } else if (isFirst) void this.join();
  }

  private checkCaughtUp(): void {
    if (this.isCaughtUp || !this.targets || !this.hasReached(this.targets)) return;
    this.isCaughtUp = true;
    this.confirmedMs = Date.now();
    this.resolveCaughtUp();
  }

  private hasReached(ends: ReadonlyMap<number, bigint>): boolean {
    return [...ends].every(([partition, end]) => (this.positions.get(partition) ?? 0n) >= end);
  }
}

function strangeness(ranges: Head['ranges'], positions: ReadonlyMap<number, bigint>): string | null {
  for (const [partition, next] of positions) {
    const range = ranges.get(partition);
    if (!range || next > range.high)
      return `partition ${partition} ends at ${range?.high ?? 'nothing'}, and ${next} was reached before: it was made anew`;
  }
  return null;
}
