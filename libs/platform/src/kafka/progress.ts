import type { Topic } from '@baton/contracts';
import { counter, gauge, histogram } from '../run/metrics';

interface PartitionState {
  readonly topic: Topic;
  readonly partition: number;
  /** When the oldest message not yet handled was written; null: none is known. */
  oldestMs: number | null;
  lag: number;
  paused: boolean;
  /** Last sign of life of a batch under way; null: none is. */
  busyMs: number | null;
}

/** Every consumer of this process: a metric has one collector, whichever of them came first. */
const consumers = new Set<ConsumerProgress>();

/** What an on-call engineer sees of one consumer group, and what the watchdog goes by. */
export class ConsumerProgress {
  readonly deadLetters = counter('baton_dead_letters_total', 'Messages that could not be handled, by reason', ['group', 'topic', 'reason']);
  readonly retries = counter('baton_consumer_retries_total', 'Batches tried again, by class of failure', ['group', 'topic', 'class']);
  readonly batchSeconds = histogram('baton_consumer_batch_seconds', 'Time from a batch to its committed effect', ['group', 'topic']);
  readonly handlerSeconds = histogram('baton_consumer_handler_seconds', 'Time inside one handler', ['group', 'type']);
  readonly messages = counter('baton_consumer_messages_total', 'Messages handled', ['group', 'topic']);
  readonly partitions = new Map<string, PartitionState>();
  private lifeMs = Date.now();

  constructor(readonly group: string) {
    consumers.add(this);
    collect('baton_consumer_oldest_unprocessed_seconds', 'Age of the oldest message not yet handled', (p) =>
      p.oldestMs === null ? 0 : Math.max(0, (Date.now() - p.oldestMs) / 1000),
    );
    collect('baton_consumer_lag', 'Messages behind the end of the partition, as of the last batch', (p) => p.lag);
    collect('baton_consumer_paused', '1 while a partition waits for a store', (p) => (p.paused ? 1 : 0));
  }

  /** The consumer as a whole lives: it fetched, joined, or knows why it cannot. */
  alive(): void {
    this.lifeMs = Date.now();
  }
  silentMs(): number {
    return Date.now() - this.lifeMs;
  }
  /** How long the quietest batch under way has neither ended nor tried anything. */
  stuckMs(): number {
    const busy = [...this.partitions.values()].flatMap((p) => (p.busyMs === null ? [] : [p.busyMs]));
    return busy.length === 0 ? 0 : Date.now() - Math.min(...busy);
  }

  began(topic: Topic, partition: number, oldestMs: number, lag: number): void {
    this.set(topic, partition, { oldestMs, lag, busyMs: Date.now() });
  }
  /** A transaction of the batch under way ended, well or not. */
  tried(topic: Topic, partition: number): void {
    this.set(topic, partition, { busyMs: Date.now() });
  }
  advanced(topic: Topic, partition: number, oldestMs: number | null, lag: number): void {
    this.set(topic, partition, { oldestMs, lag, paused: false, busyMs: null });
  }
  /** The batch under way ended, handled or not. */
  left(topic: Topic, partition: number): void {
    this.set(topic, partition, { busyMs: null });
  }
  waits(topic: Topic, partition: number, paused: boolean): void {
    // The partition may have gone to another replica meanwhile.
    if (paused || this.partitions.has(keyOf(topic, partition))) this.set(topic, partition, { paused });
  }
  /** Partitions that this replica no longer has must not go on ageing in its metrics. */
  assigned(partitions: Record<string, number[]>, unprefixed: (topic: string) => Topic): void {
    this.alive();
    const mine = new Set(Object.entries(partitions).flatMap(([topic, list]) => list.map((p) => keyOf(unprefixed(topic), p))));
    for (const key of this.partitions.keys()) if (!mine.has(key)) this.partitions.delete(key);
  }
  ended(): void {
    consumers.delete(this);
  }

  private set(topic: Topic, partition: number, change: Partial<PartitionState>): void {
    this.alive();
    const key = keyOf(topic, partition);
    this.partitions.set(key, {
      topic,
      partition,
      oldestMs: null,
      lag: 0,
      paused: false,
      busyMs: null,
      ...this.partitions.get(key),
      ...change,
    });
  }
}

const keyOf = (topic: Topic, partition: number): string => `${topic}:${partition}`;

function collect(name: string, help: string, value: (p: PartitionState) => number): void {
  gauge(name, help, ['group', 'topic', 'partition'], function () {
    this.reset();
    for (const { group, partitions } of consumers)
      for (const p of partitions.values()) this.set({ group, topic: p.topic, partition: String(p.partition) }, value(p));
  });
}
