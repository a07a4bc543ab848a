import { randomUUID } from 'node:crypto';
import type { KafkaMessage } from 'kafkajs';
import { InfrastructureError } from '../ports';
import { type KafkaConnection, withAdmin, within } from './kafka';

export interface TopicRecord {
  readonly partition: number;
  readonly offset: string;
  /** Unix milliseconds at which it was written. */
  readonly writtenMs: number;
  readonly key: Buffer | null;
  readonly value: Buffer | null;
  readonly headers: NonNullable<KafkaMessage['headers']>;
}

export interface ReadOptions {
  readonly kafka: KafkaConnection;
  /** Unprefixed. A topic that does not exist counts as empty. */
  readonly topic: string;
  readonly each: (record: TopicRecord) => void;
  /** Told after each fetch: messages read so far, and how many offsets there were at the start. */
  readonly progress?: (read: number, total: number) => void;
  /** Longest time without any progress, in milliseconds; then `InfrastructureError`. */
  readonly silentMaxMs?: number;
}

/** Reads a topic from its beginning to where it ended when the reading began, then stops. Commits nothing. Gives how many messages there were. */
export async function readTopic({ kafka, topic, each, progress, silentMaxMs = 20_000 }: ReadOptions): Promise<number> {
  const name = kafka.prefix + topic;
  const ends = await endsOf(kafka, name);
  if (ends.size === 0) return 0;
  const total = [...ends.values()].reduce((sum, { high, low }) => sum + Number(high - low), 0);
  const groupId = `${kafka.prefix}read.${randomUUID()}`;
  const consumer = kafka.client.consumer({ groupId, maxWaitTimeInMs: 200, allowAutoTopicCreation: false, retry: { retries: 3 } });
  let read = 0;
  try {
    await consumer.connect();
    await consumer.subscribe({ topics: [name], fromBeginning: true });
    await new Promise<void>((resolve, reject) => {
      const silent = setTimeout(
        () => reject(new InfrastructureError('kafka', 'timeout', new Error(`nothing more came from ${name} for ${silentMaxMs} ms`))),
        silentMaxMs,
      );
      const end = (error?: unknown): void => {
        clearTimeout(silent);
        if (error === undefined) resolve();
        else reject(error instanceof Error ? error : new Error(String(error)));
      };
      consumer.on(consumer.events.CRASH, ({ payload }) => end(new InfrastructureError('kafka', 'connection', payload.error)));
      const run = consumer.run({
        autoCommit: false,
        eachBatch: async ({ batch, heartbeat }) => {
          const limit = ends.get(batch.partition)?.high ?? 0n;
          try {
            for (const m of batch.messages) {
              if (BigInt(m.offset) >= limit) break;
              each({
                partition: batch.partition,
                offset: m.offset,
                writtenMs: Number(m.timestamp),
                key: m.key,
                value: m.value,
                headers: m.headers ?? {},
              });
              read++;
            }
          } catch (error) {
            return end(error);
          }
          if (BigInt(batch.lastOffset()) + 1n >= limit) ends.delete(batch.partition);
          progress?.(read, total);
          silent.refresh();
          if (ends.size === 0) end();
          else await heartbeat();
        },
      });
      run.catch(end);
    });
    return read;
  } finally {
    await within(
      5_000,
      consumer.disconnect().catch(() => undefined),
    );
    await within(
      5_000,
      withAdmin(kafka, (admin) => admin.deleteGroups([groupId])).catch(() => undefined),
    );
  }
}

/** Partitions that hold something: first and next offset. */
const endsOf = (kafka: KafkaConnection, name: string): Promise<Map<number, { low: bigint; high: bigint }>> =>
  withAdmin(kafka, async (admin) => {
    if (!(await admin.listTopics()).includes(name)) return new Map();
    const offsets = await admin.fetchTopicOffsets(name);
    return new Map(
      offsets.map((o) => [o.partition, { low: BigInt(o.low), high: BigInt(o.high) }] as const).filter(([, { low, high }]) => high > low),
    );
  });
