import { InvalidEvent, type Outgoing, parse, type Received, specOf, type Topic } from '@baton/contracts';
import { type Consumer, type EachBatchPayload, KafkaJSError, type KafkaMessage } from 'kafkajs';
import { type Database, InfrastructureError, type Route, type Tx } from '../ports';
import { crashPoint } from '../run/crash';
import type { Log } from '../run/log';
import type { Part } from '../run/run';
import { applyHalving } from './apply';
import { type DeadLetter, deadLetterMessage } from './dead-letter';
import type { KafkaConnection } from './kafka';
import type { Producer } from './producer';
import { ConsumerProgress } from './progress';

export interface ConsumerOptions {
  readonly kafka: KafkaConnection;
  /** Unprefixed. */
  readonly group: string;
  readonly routes: readonly Route[];
  readonly database: Database;
  /** For dead letters. */
  readonly producer: Producer;
  readonly writeOutbox: (tx: Tx, events: readonly Outgoing[]) => Promise<number>;
  /** After each commit: wakes the relay. */
  readonly committed?: () => void;
  readonly log: Log;
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

/**
 * Kafka -> one transaction per batch -> offset. Explicit commits after the database's; a permanent failure is halved down to one dead
 * letter; an infrastructure failure makes that partition wait, alone. No raw exception reaches kafkajs: a TypeError would end it silently.
 */
export class BatchConsumer implements Part {
  readonly name: string;
  private consumer: Consumer | null = null;
  private readonly progress: ConsumerProgress;
  private readonly pauses = new Map<string, { backoffMs: number; timer?: NodeJS.Timeout }>();
  private watchdog: NodeJS.Timeout | undefined;
  private joined = false;
  private stopping = false;

  constructor(private readonly options: ConsumerOptions) {
    this.name = `consumer ${options.group}`;
    this.progress = new ConsumerProgress(options.group);
  }

  async start(): Promise<void> {
    const { kafka, group } = this.options;
    const consumer = kafka.client.consumer({ groupId: kafka.prefix + group, sessionTimeout: 30_000, heartbeatInterval: 3_000, rebalanceTimeout: 40_000, maxWaitTimeInMs: 200, retry: { retries: 10, initialRetryTime: 200, maxRetryTime: 5_000 } });
    this.consumer = consumer;
    this.listen(consumer);
    this.watchdog = setInterval(() => this.watch(), 5_000);
    // Joining may take as long as the broker is away: the service starts meanwhile, and says that it is not ready.
    void this.join(consumer);
  }

  private async join(consumer: Consumer): Promise<void> {
    while (!this.stopping) {
      try {
        await consumer.connect();
        await consumer.subscribe({ topics: this.topics().map((t) => this.options.kafka.prefix + t), fromBeginning: true });
        await consumer.run({
          autoCommit: false,
          eachBatchAutoResolve: false,
          partitionsConsumedConcurrently: this.options.partitionsAtOnce ?? 4,
          eachBatch: (payload) => this.eachBatch(payload),
        });
        return;
      } catch (error) {
        this.progress.alive();
        this.options.log.warn({ error: error instanceof Error ? error.message : String(error), group: this.options.group }, 'cannot join the consumer group yet');
        await pause(2_000);
      }
    }
  }

  async stop(): Promise<void> {
    this.stopping = true;
    clearInterval(this.watchdog);
    for (const { timer } of this.pauses.values()) clearTimeout(timer);
    const consumer = this.consumer;
    if (!consumer) return;
    await Promise.race([consumer.disconnect(), pause(15_000)]);
  }

  unready(): string | undefined {
    return this.joined ? undefined : 'has not joined its group yet';
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
    for (const event of [events.FETCH, events.HEARTBEAT, events.END_BATCH_PROCESS] as const) consumer.on(event, () => this.progress.alive());
    consumer.on(events.CRASH, ({ payload }) => {
      this.joined = false;
      if (payload.restart) this.progress.alive();
      else if (!this.stopping) this.options.onDead(`consumer ${this.options.group} crashed: ${payload.error.message}`);
    });
  }

  private watch(): void {
    const silentMs = this.progress.silentMs();
    if (silentMs > SILENT_MAX_MS && !this.stopping) this.options.onDead(`consumer ${this.options.group} has stood still for ${Math.round(silentMs / 1000)} s without a known reason`);
  }

  private async eachBatch(payload: EachBatchPayload): Promise<void> {
    const { batch } = payload;
    const topic = batch.topic.slice(this.options.kafka.prefix.length) as Topic;
    // Heartbeats go on while a transaction is under way; one that fails shows again at the commit.
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
    }
  }

  private async slices(payload: EachBatchPayload, topic: Topic): Promise<void> {
    const { batch } = payload;
    const { messages } = batch;
    const size = this.options.batchMax ?? 500;
    const high = BigInt(batch.highWatermark);
    for (let from = 0; from < messages.length; from += size) {
      if (!payload.isRunning() || payload.isStale()) return;
      const slice = messages.slice(from, from + size);
      const last = slice.at(-1) as KafkaMessage;
      this.progress.began(topic, batch.partition, Number((slice[0] as KafkaMessage).timestamp), Number(high - BigInt((slice[0] as KafkaMessage).offset)));
      const done = this.progress.batchSeconds.startTimer({ group: this.options.group, topic });
      await this.slice(topic, batch.partition, slice);
      done();
      crashPoint('consumer:committed');
      payload.resolveOffset(last.offset);
      await payload.heartbeat();
      const next = (BigInt(last.offset) + 1n).toString();
      await payload.commitOffsetsIfNecessary({ topics: [{ topic: batch.topic, partitions: [{ partition: batch.partition, offset: next }] }] });
      crashPoint('consumer:offset-committed');
      this.pauses.delete(`${topic}:${batch.partition}`);
      const following = messages[from + size];
      this.progress.advanced(topic, batch.partition, following ? Number(following.timestamp) : null, Number(high - BigInt(last.offset) - 1n));
      this.progress.messages.inc({ group: this.options.group, topic }, slice.length);
    }
  }

  private async slice(topic: Topic, partition: number, messages: readonly KafkaMessage[]): Promise<void> {
    const end = Date.now() + IN_PLACE_MS;
    for (let attempt = 1; ; attempt++) {
      try {
        return await this.applyAll(topic, partition, messages);
      } catch (error) {
        if (!(error instanceof InfrastructureError)) throw error;
        this.progress.alive();
        this.progress.retries.inc({ group: this.options.group, topic, class: `${error.store}:${error.kind}` });
        const delayMs = Math.min(50 * 2 ** attempt, 400) * (0.5 + Math.random());
        if (this.stopping || Date.now() + delayMs > end) throw error;
        await pause(delayMs);
      }
    }
  }

  private async applyAll(topic: Topic, partition: number, messages: readonly KafkaMessage[]): Promise<void> {
    const { good, bad, origins } = this.read(topic, messages);
    const refused = await applyHalving(good, (events) => this.applyOnce(events));
    for (const { event, reason, error } of refused) bad.push({ message: origins.get(event) as KafkaMessage, reason, error });
    if (bad.length === 0) return;
    const place = { topic, partition, group: this.options.group };
    for (const dead of bad.sort((a, b) => Number(BigInt(a.message.offset) - BigInt(b.message.offset)))) {
      this.options.log.warn({ ...place, offset: dead.message.offset, reason: dead.reason, error: dead.error }, 'dead letter');
      await this.options.producer.send([deadLetterMessage(dead, place, new Date())]);
      this.progress.deadLetters.inc({ group: this.options.group, topic, reason: dead.reason });
    }
  }

  private read(topic: Topic, messages: readonly KafkaMessage[]): { good: Received[]; bad: DeadLetter[]; origins: Map<Received, KafkaMessage> } {
    const compacted = specOf(topic).kind === 'compacted';
    const origins = new Map<Received, KafkaMessage>();
    const bad: DeadLetter[] = [];
    for (const message of messages) {
      // A tombstone of a compacted topic: what it deletes was refused and unused long before.
      if (compacted && message.value === null) continue;
      try {
        origins.set(parse(topic, message), message);
      } catch (error) {
        bad.push({ message, reason: error instanceof InvalidEvent ? error.reason : 'handler', error: error instanceof Error ? error.message : String(error) });
      }
    }
    return { good: [...origins.keys()], bad, origins };
  }

  /** One transaction for all: effects and outgoing events stand or fall together. */
  private async applyOnce(events: readonly Received[]): Promise<void> {
    const routed = this.options.routes.map((route) => ({ route, events: events.filter((e) => e.contract.ceType === route.contract.ceType) })).filter((r) => r.events.length > 0);
    if (routed.length === 0) return;
    const tenants = [...new Set(routed.flatMap((r) => r.events.map((e) => e.data.tenantId)))].sort();
    await this.options.database.transaction(tenants, async (tx) => {
      const outgoing: Outgoing[] = [];
      for (const { route, events: own } of routed) {
        const done = this.progress.handlerSeconds.startTimer({ group: this.options.group, type: route.contract.ceType });
        outgoing.push(...(await route.handle(own, tx)));
        done();
      }
      if (outgoing.length > 0) await this.options.writeOutbox(tx, outgoing);
    });
    this.options.committed?.();
  }

  /** This partition waits, alone, and is read again from its last resolved offset. */
  private wait(payload: EachBatchPayload, topic: Topic, error: InfrastructureError): void {
    const { partition } = payload.batch;
    const key = `${topic}:${partition}`;
    const before = this.pauses.get(key);
    if (before?.timer) clearTimeout(before.timer);
    const backoffMs = Math.min((before?.backoffMs ?? PAUSE_MIN_MS / 2) * 2, PAUSE_MAX_MS);
    const resume = payload.pause();
    this.options.log.warn({ group: this.options.group, topic, partition, backoffMs, error: error.message }, 'waits for a store');
    this.progress.waits(topic, partition, true);
    const timer = setTimeout(() => {
      this.progress.waits(topic, partition, false);
      resume();
    }, backoffMs);
    this.pauses.set(key, { backoffMs, timer });
  }
}

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
