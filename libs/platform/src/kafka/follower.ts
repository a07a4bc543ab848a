import { randomUUID } from 'node:crypto';
import { parse, type Received, type Topic } from '@baton/contracts';
import type { Consumer, EachBatchPayload } from 'kafkajs';
import { counter } from '../run/metrics';
import type { Log } from '../run/log';
import type { Part } from '../run/run';
import { failureOf } from './apply';
import { type KafkaConnection, withAdmin, within } from './kafka';
import { Watermarks } from './watermarks';

export interface FollowerOptions {
  readonly kafka: KafkaConnection;
  readonly topic: Topic;
  /** Unprefixed; each process follows under a name of its own, so that every one of them sees everything. */
  readonly group: string;
  /** Events in their order, then the keys of tombstones: a tombstone is an entity's last word. The same event may come again. */
  readonly apply: (events: readonly Received[], tombstoneKeys: readonly string[]) => void;
  readonly log: Log;
  /** `apply` threw: this process's picture is incomplete, and only reading anew from the beginning mends it. */
  readonly onDead: (reason: string) => void;
}

const CONFIRM_EVERY_MS = 1_000;
const STOP_MAX_MS = 5_000;
/**
 * The group has this one member. After a connection fell silent it comes back under another member id, and the broker lets it in only when
 * the former one is given up: with the usual times that took a minute, for which the catalog stood still. 6 s is the least a broker allows.
 */
const ALONE = { sessionTimeout: 6_000, rebalanceTimeout: 6_000, heartbeatInterval: 1_500 };

/**
 * Reads a whole compacted topic into this process's memory and stays at its end, through any outage of the broker. Commits nothing: each
 * start reads from the beginning; after a lost connection it goes on where it was.
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
  private targets: Map<number, bigint> | null = null;
  private readonly positions = new Map<number, bigint>();
  private confirming: NodeJS.Timeout | undefined;
  private stopping = false;
  private readonly refused = counter('baton_follower_refused_total', 'Messages of a followed topic that could not be read', [
    'topic',
    'reason',
  ]);

  constructor(private readonly options: FollowerOptions) {
    this.name = `follower ${options.topic}`;
    this.groupId = `${options.kafka.prefix}${options.group}.${randomUUID()}`;
    this.watermarks = new Watermarks(options.kafka, options.topic);
    this.caughtUp = new Promise((resolve) => {
      this.resolveCaughtUp = resolve;
    });
  }

  async start(): Promise<void> {
    void this.join();
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
    try {
      const { events, tombstones } = this.read(batch.messages);
      this.options.apply(events, tombstones);
    } catch (error) {
      // Passing over it would leave a hole that nobody sees: end, and read anew from the beginning.
      this.options.onDead(`applying ${this.options.topic} failed: ${failureOf(error).error}`);
    }
    this.positions.set(batch.partition, BigInt(batch.lastOffset()) + 1n);
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
      const ends = await this.watermarks.ask();
      if (ends !== null) {
        this.targets ??= ends;
        this.checkCaughtUp();
        if (this.isCaughtUp && this.hasReached(ends)) this.confirmedMs = askedMs;
      }
      if (!this.stopping)
        this.confirming = setTimeout(() => this.confirm(), this.isCaughtUp || ends === null ? CONFIRM_EVERY_MS : CONFIRM_EVERY_MS / 10);
    })();
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
