import type { Topic } from '@baton/contracts';
import { counter, gauge, histogram } from '../run/metrics';

/** What an on-call engineer sees of one consumer group. */
export class ConsumerProgress {
  readonly deadLetters = counter('baton_dead_letters_total', 'Messages that could not be handled, by reason', ['group', 'topic', 'reason']);
  readonly retries = counter('baton_consumer_retries_total', 'Batches tried again, by class of failure', ['group', 'topic', 'class']);
  readonly batchSeconds = histogram('baton_consumer_batch_seconds', 'Time from a batch to its committed effect', ['group', 'topic']);
  readonly handlerSeconds = histogram('baton_consumer_handler_seconds', 'Time inside one handler', ['group', 'type']);
  readonly messages = counter('baton_consumer_messages_total', 'Messages handled', ['group', 'topic']);
  private readonly partitions = new Map<string, { topic: Topic; partition: number; oldestMs: number | null; lag: number; paused: boolean }>();
  private lifeMs = Date.now();

  constructor(private readonly group: string) {
    const labels = ['group', 'topic', 'partition'];
    this.collect('baton_consumer_oldest_unprocessed_seconds', 'Age of the oldest message not yet handled', labels, (p) => (p.oldestMs === null ? 0 : Math.max(0, (Date.now() - p.oldestMs) / 1000)));
    this.collect('baton_consumer_lag', 'Messages behind the end of the partition, as of the last batch', labels, (p) => p.lag);
    this.collect('baton_consumer_paused', '1 while a partition waits for a store', labels, (p) => (p.paused ? 1 : 0));
  }

  /** Anything that shows that the consumer lives, a classified retry too. */
  alive(): void {
    this.lifeMs = Date.now();
  }
  silentMs(): number {
    return Date.now() - this.lifeMs;
  }
  began(topic: Topic, partition: number, oldestMs: number, lag: number): void {
    this.alive();
    this.set(topic, partition, { oldestMs, lag });
  }
  advanced(topic: Topic, partition: number, oldestMs: number | null, lag: number): void {
    this.alive();
    this.set(topic, partition, { oldestMs, lag, paused: false });
  }
  waits(topic: Topic, partition: number, paused: boolean): void {
    this.alive();
    this.set(topic, partition, { paused });
  }
  /** Partitions that this replica no longer has must not go on ageing in its metrics. */
  assigned(partitions: Record<string, number[]>, unprefixed: (topic: string) => Topic): void {
    this.alive();
    const mine = new Set(Object.entries(partitions).flatMap(([topic, list]) => list.map((p) => `${unprefixed(topic)}:${p}`)));
    for (const key of this.partitions.keys()) if (!mine.has(key)) this.partitions.delete(key);
  }

  private set(topic: Topic, partition: number, change: { oldestMs?: number | null; lag?: number; paused?: boolean }): void {
    const key = `${topic}:${partition}`;
    this.partitions.set(key, { topic, partition, oldestMs: null, lag: 0, paused: false, ...this.partitions.get(key), ...change });
  }

  private collect(name: string, help: string, labels: string[], value: (p: { oldestMs: number | null; lag: number; paused: boolean }) => number): void {
    const { partitions, group } = this;
    gauge(name, help, labels, function () {
      this.reset();
      for (const p of partitions.values()) this.set({ group, topic: p.topic, partition: String(p.partition) }, value(p));
    });
  }
}
