import { CONSUMER_GROUPS, type Topic } from '@baton/contracts';
import { type Consumer, type EachBatchPayload, KafkaJSError, type KafkaMessage } from 'kafkajs';
import { InfrastructureError } from '../ports';
import { crashPoint } from '../run/crash';
import type { Part } from '../run/run';
import { type BatchOptions, BatchWork } from './batch';
import { type KafkaConnection, within } from './kafka';
import { isBehind } from './lag';
import { ConsumerProgress } from './progress';

export interface ConsumerOptions extends BatchOptions {
  readonly kafka: KafkaConnection;
  /** The consumer died or stands still without a known reason: the process must end. */
  readonly onDead: (reason: string) => void;
  readonly partitionsAtOnce?: number;
  readonly batchMax?: number;
}

/** How long a batch is retried in place before its partition is paused; others wait at most this long for it. */
const IN_PLACE_MS = 1_500;
const PAUSE_MIN_MS = 500;
const PAUSE_MAX_MS = 5_000;
const SILENT_MAX_MS = 60_000;
const ASKING_AFTER_MS = 10_000;
/** A broker that comes back, and the heirs of a killed replica, wait this long for members that are gone. */
const SESSION_MS = 15_000;
const STOP_MAX_MS = 15_000;

/**
 * Kafka -> one transaction per batch -> offset. Explicit commits after the database's; a permanent failure is halved down to one dead
 * letter; an infrastructure failure makes that partition wait, alone. No raw exception reaches kafkajs: a TypeError would end it silently.
 */
export class BatchConsumer implements Part {
  readonly name: string;
  private consumer: Consumer | null = null;
  private readonly progress: ConsumerProgress;
  private readonly work: BatchWork;
  private readonly pauses = new Map<string, { backoffMs: number; timer?: NodeJS.Timeout }>();
  private watchdog: NodeJS.Timeout | undefined;
  private joined = false;
  private stopping = false;
  private asking = false;

  constructor(private readonly options: ConsumerOptions) {
    const undeclared = this.topics().filter((topic) => !CONSUMER_GROUPS[options.group]?.includes(topic));
    if (undeclared.length > 0)
      throw new Error(
        `the group ${options.group} does not declare that it reads ${undeclared.join(', ')}, so there is no topic for its dead letters: add it to CONSUMER_GROUPS in libs/contracts/src/topics.ts`,
      );
    this.name = `consumer ${options.group}`;
    this.progress = new ConsumerProgress(options.group);
    this.work = new BatchWork(options, this.progress);
  }

  async start(): Promise<void> {
    const { kafka, group } = this.options;
    const consumer = kafka.client.consumer({
      groupId: kafka.prefix + group,
      sessionTimeout: SESSION_MS,
      heartbeatInterval: 3_000,
      rebalanceTimeout: 40_000,
      maxWaitTimeInMs: 200,
      allowAutoTopicCreation: false,
      // A crash while we stop must not start it anew behind our back.
      retry: { retries: 10, initialRetryTime: 200, maxRetryTime: 5_000, restartOnFailure: async () => !this.stopping },
    });
    this.consumer = consumer;
    this.listen(consumer);
    this.watchdog = setInterval(() => void this.watch(), 5_000);
    // Joining may take as long as the broker is away: the service starts meanwhile, and says that it is not ready.
    void this.join(consumer);
  }

  /** Finishes the batch in flight, commits it, leaves the group; at most 15 s. */
  async stop(): Promise<void> {
    this.stopping = true;
    clearInterval(this.watchdog);
    for (const { timer } of this.pauses.values()) clearTimeout(timer);
    await within(STOP_MAX_MS, this.consumer?.disconnect());
    this.progress.ended();
  }

  unready(): string | undefined {
    return this.joined ? undefined : 'has not joined its group yet';
  }

  private async join(consumer: Consumer): Promise<void> {
    while (!this.stopping) {
      try {
        await consumer.connect();
        await consumer.subscribe({ topics: this.topics().map((t) => this.options.kafka.prefix + t), fromBeginning: true });
        if (this.stopping) return void (await consumer.disconnect().catch(() => undefined));
        await consumer.run({
          autoCommit: false,
          eachBatchAutoResolve: false,
          partitionsConsumedConcurrently: this.options.partitionsAtOnce ?? 4,
          eachBatch: (payload) => this.eachBatch(payload),
        });
        return;
      } catch (error) {
        this.progress.alive();
        this.options.log.warn(
          { error: error instanceof Error ? error.message : String(error), group: this.options.group },
          'cannot join the consumer group yet',
        );
        await pause(2_000);
      }
    }
  }

  private topics(): Topic[] {
    return [...new Set(this.options.routes.map((route) => route.contract.topic))];
  }

  private listen(consumer: Consumer): void {
    const { events } = consumer;
    consumer.on(events.GROUP_JOIN, ({ payload }) => {
      this.joined = true;
      this.progress.assigned(payload.memberAssignment, (topic) => topic.slice(this.options.kafka.prefix.length) as Topic);
    });
    // Not heartbeats: they go on while a handler hangs.
    consumer.on(events.FETCH, () => this.progress.alive());
    consumer.on(events.CRASH, ({ payload }) => {
      this.joined = false;
      if (payload.restart || this.stopping) this.progress.alive();
      // kafkajs gives up on it, but a coordinator that cannot be found is the broker's to mend: a rebalance or a leader that died may last longer than its tries.
      else if (payload.error.name === 'KafkaJSGroupCoordinatorNotFound') this.startAgain(payload.error);
      else this.options.onDead(`consumer ${this.options.group} crashed: ${payload.error.message}`);
    });
  }

  private startAgain({ message }: Error): void {
    this.progress.alive();
    clearInterval(this.watchdog);
    this.options.log.warn({ error: message, group: this.options.group }, 'the consumer begins anew');
    void pause(2_000).then(() => (this.stopping ? undefined : this.start()));
  }

  /** Standing still is death only with work to do and the broker at hand: its absence is a known reason, and so is the time after it. */
  private async watch(): Promise<void> {
    const stuckMs = this.progress.stuckMs();
    if (stuckMs > SILENT_MAX_MS) return this.died(stuckMs);
    if (this.progress.silentMs() < ASKING_AFTER_MS || this.asking) return;
    this.asking = true;
    const behind = await isBehind(this.options.kafka, this.options.group, this.topics());
    this.asking = false;
    if (!behind) this.progress.alive();
    else if (this.progress.silentMs() > SILENT_MAX_MS) this.died(this.progress.silentMs());
  }

  private died(silentMs: number): void {
    if (!this.stopping)
      this.options.onDead(`consumer ${this.options.group} has stood still for ${Math.round(silentMs / 1000)} s without a known reason`);
  }

  private async eachBatch(payload: EachBatchPayload): Promise<void> {
    const { batch } = payload;
    const topic = batch.topic.slice(this.options.kafka.prefix.length) as Topic;
    // Heartbeats go on while a transaction is under way; one that fails shows again after the commit.
    const beating = setInterval(() => void payload.heartbeat().catch(() => undefined), 3_000);
    try {
      await this.slices(payload, topic);
    } catch (error) {
      if (error instanceof InfrastructureError) return this.wait(payload, topic, error);
      // kafkajs's own errors tell it to rejoin; everything else would end it.
      if (error instanceof KafkaJSError) throw error;
      this.options.log.error({ err: error, topic, partition: batch.partition }, 'a batch failed in an unforeseen way');
      this.wait(payload, topic, new InfrastructureError('consumer', 'unforeseen', error));
    } finally {
      clearInterval(beating);
      this.progress.left(topic, batch.partition);
    }
  }

  private async slices(payload: EachBatchPayload, topic: Topic): Promise<void> {
    const { batch } = payload;
    const { messages } = batch;
    const size = this.options.batchMax ?? 500;
    const high = BigInt(batch.highWatermark);
    for (let from = 0; from < messages.length; from += size) {
      if (this.stopping || !payload.isRunning() || payload.isStale()) return;
      const slice = messages.slice(from, from + size);
      const first = slice[0] as KafkaMessage;
      const last = slice.at(-1) as KafkaMessage;
      this.progress.began(topic, batch.partition, Number(first.timestamp), Number(high - BigInt(first.offset)));
      await this.slice(topic, batch.partition, slice);
      crashPoint('consumer:committed');
      await this.advance(payload, last.offset);
      crashPoint('consumer:offset-committed');
      this.pauses.delete(`${topic}:${batch.partition}`);
      const following = messages[from + size];
      this.progress.advanced(
        topic,
        batch.partition,
        following ? Number(following.timestamp) : null,
        Number(high - BigInt(last.offset) - 1n),
      );
      this.progress.messages.inc({ group: this.options.group, topic }, slice.length);
      await payload.heartbeat();
    }
  }

  private async slice(topic: Topic, partition: number, messages: readonly KafkaMessage[]): Promise<void> {
    const done = this.progress.batchSeconds.startTimer({ group: this.options.group, topic });
    const dead = await this.patiently(topic, partition, () => this.work.apply(topic, partition, messages));
    // The others' effect is committed by now: they do not wait for the dead letters.
    if (dead.length > 0) await this.patiently(topic, partition, () => this.work.bury(dead, topic, partition));
    done();
  }

  /**
   * The offset is committed before it is resolved: were it the other way round, a failed commit would leave this partition behind until its
   * next message. And before the heartbeat, which throws during a rebalance: the next owner then does not repeat this batch.
   */
  private async advance({ batch, commitOffsetsIfNecessary, resolveOffset }: EachBatchPayload, offset: string): Promise<void> {
    const isLast = offset === batch.messages.at(-1)?.offset;
    const next = (BigInt(isLast ? batch.lastOffset() : offset) + 1n).toString();
    // From here on the broker alone is waited for, and its absence is no reason to die.
    this.progress.left(batch.topic.slice(this.options.kafka.prefix.length) as Topic, batch.partition);
    await commitOffsetsIfNecessary({ topics: [{ topic: batch.topic, partitions: [{ partition: batch.partition, offset: next }] }] });
    resolveOffset(offset);
  }

  /** Retries what the world refuses for a little while. A partition that has waited before tries once: the others wait for this. */
  private async patiently<T>(topic: Topic, partition: number, work: () => Promise<T>): Promise<T> {
    const end = this.pauses.has(`${topic}:${partition}`) ? 0 : Date.now() + IN_PLACE_MS;
    for (let attempt = 1; ; attempt++) {
      try {
        return await work();
      } catch (error) {
        if (!(error instanceof InfrastructureError)) throw error;
        this.progress.tried(topic, partition);
        this.progress.retries.inc({ group: this.options.group, topic, class: `${error.store}:${error.kind}` });
        const delayMs = Math.min(50 * 2 ** attempt, 400) * (0.5 + Math.random());
        if (this.stopping || Date.now() + delayMs > end) throw error;
        await pause(delayMs);
      }
    }
  }

  /** This partition waits, alone, and is read again from its last resolved offset. */
  private wait(payload: EachBatchPayload, topic: Topic, error: InfrastructureError): void {
    if (this.stopping) return;
    const { partition } = payload.batch;
    const key = `${topic}:${partition}`;
    const before = this.pauses.get(key);
    if (before?.timer) clearTimeout(before.timer);
    const backoffMs = Math.min((before?.backoffMs ?? PAUSE_MIN_MS / 2) * 2, PAUSE_MAX_MS) * (0.75 + Math.random() / 4);
    const resume = payload.pause();
    this.options.log.warn(
      { group: this.options.group, topic, partition, backoffMs: Math.round(backoffMs), error: error.message },
      'waits for a store',
    );
    this.progress.waits(topic, partition, true);
    const timer = setTimeout(() => {
      this.progress.waits(topic, partition, false);
      resume();
    }, backoffMs);
    this.pauses.set(key, { backoffMs, timer });
  }
}

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
