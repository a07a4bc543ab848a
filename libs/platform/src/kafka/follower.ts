import { randomUUID } from 'node:crypto';
import { InvalidEvent, parse, type Received, type Topic } from '@baton/contracts';
import { type Consumer, type EachBatchPayload, KafkaJSError } from 'kafkajs';
import { counter } from '../run/metrics';
import type { Log } from '../run/log';
import type { Part } from '../run/run';
import { type KafkaConnection, withAdmin } from './kafka';

export interface FollowerOptions {
  readonly kafka: KafkaConnection;
  readonly topic: Topic;
  /** Unprefixed; each process follows under a name of its own, so that every one of them sees everything. */
  readonly group: string;
  readonly apply: (events: readonly Received[], tombstoneKeys: readonly string[]) => void;
  readonly log: Log;
  readonly onDead: (reason: string) => void;
}

/** Reads a whole compacted topic into this process's memory and stays at its end. Commits nothing: each start reads from the beginning. */
export class TopicFollower implements Part {
  readonly name: string;
  /** Resolves once everything that was in the topic at the start has been applied. */
  readonly caughtUp: Promise<void>;
  private resolveCaughtUp!: () => void;
  private isCaughtUp = false;
  private confirmedMs: number | null = null;
  private readonly groupId: string;
  private consumer: Consumer | null = null;
  private targets: Map<number, bigint> | null = null;
  private readonly positions = new Map<number, bigint>();
  private stopping = false;
  private readonly refused = counter('baton_follower_refused_total', 'Messages of a followed topic that could not be read', ['topic', 'reason']);

  constructor(private readonly options: FollowerOptions) {
    this.name = `follower ${options.topic}`;
    this.groupId = `${options.kafka.prefix}${options.group}.${randomUUID()}`;
    this.caughtUp = new Promise((resolve) => {
      this.resolveCaughtUp = resolve;
    });
  }

  async start(): Promise<void> {
    void this.join();
  }

  async stop(): Promise<void> {
    this.stopping = true;
    await this.consumer?.disconnect().catch(() => undefined);
    await withAdmin(this.options.kafka, (admin) => admin.deleteGroups([this.groupId])).catch(() => undefined);
  }

  unready(): string | undefined {
    return this.isCaughtUp ? undefined : 'has not read the whole topic yet';
  }

  /** How long ago the broker last confirmed that nothing newer is there; Infinity before the first time. */
  stalenessMs(): number {
    return this.confirmedMs === null ? Infinity : Date.now() - this.confirmedMs;
  }

  private async join(): Promise<void> {
    const { kafka, topic, log } = this.options;
    while (!this.stopping) {
      const consumer = kafka.client.consumer({ groupId: this.groupId, sessionTimeout: 30_000, maxWaitTimeInMs: 500, retry: { retries: 10, initialRetryTime: 200, maxRetryTime: 5_000 } });
      try {
        this.targets = await this.highWatermarks();
        this.checkCaughtUp();
        this.listen(consumer);
        await consumer.connect();
        await consumer.subscribe({ topics: [kafka.prefix + topic], fromBeginning: true });
        await consumer.run({ autoCommit: false, eachBatchAutoResolve: true, eachBatch: (payload) => this.eachBatch(payload) });
        this.consumer = consumer;
        return;
      } catch (error) {
        log.warn({ error: error instanceof Error ? error.message : String(error), topic }, 'cannot follow the topic yet');
        await consumer.disconnect().catch(() => undefined);
        await new Promise((resolve) => setTimeout(resolve, 1_000));
      }
    }
  }

  private async highWatermarks(): Promise<Map<number, bigint>> {
    const offsets = await withAdmin(this.options.kafka, (admin) => admin.fetchTopicOffsets(this.options.kafka.prefix + this.options.topic));
    return new Map(offsets.filter((o) => BigInt(o.high) > BigInt(o.low)).map((o) => [o.partition, BigInt(o.high)]));
  }

  private listen(consumer: Consumer): void {
    consumer.on(consumer.events.FETCH, ({ payload }) => {
      // A fetch that brought nothing: the broker says that we are at the end.
      if (payload.numberOfBatches === 0 && this.isCaughtUp) this.confirmedMs = Date.now();
    });
    consumer.on(consumer.events.CRASH, ({ payload }) => {
      if (!payload.restart && !this.stopping) this.options.onDead(`follower of ${this.options.topic} crashed: ${payload.error.message}`);
    });
  }

  private async eachBatch({ batch, heartbeat }: EachBatchPayload): Promise<void> {
    try {
      const events: Received[] = [];
      const tombstones: string[] = [];
      for (const message of batch.messages) {
        if (message.value === null) {
          if (message.key) tombstones.push(message.key.toString());
          continue;
        }
        try {
          events.push(parse(this.options.topic, message));
        } catch (error) {
          const reason = error instanceof InvalidEvent ? error.reason : 'handler';
          this.refused.inc({ topic: this.options.topic, reason });
          this.options.log.warn({ topic: this.options.topic, offset: message.offset, reason }, 'a followed message cannot be read and is passed over');
        }
      }
      this.options.apply(events, tombstones);
      this.positions.set(batch.partition, BigInt(batch.lastOffset()) + 1n);
      if (BigInt(batch.lastOffset()) + 1n >= BigInt(batch.highWatermark)) this.confirmedMs = Date.now();
      this.checkCaughtUp();
      await heartbeat();
    } catch (error) {
      if (error instanceof KafkaJSError) throw error;
      // Passing over it would leave a hole that nobody sees: end, and read anew from the beginning.
      this.options.onDead(`applying ${this.options.topic} failed: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`);
    }
  }

  private checkCaughtUp(): void {
    if (this.isCaughtUp || !this.targets) return;
    for (const [partition, high] of this.targets) if ((this.positions.get(partition) ?? 0n) < high) return;
    this.isCaughtUp = true;
    this.confirmedMs = Date.now();
    this.resolveCaughtUp();
  }
}
