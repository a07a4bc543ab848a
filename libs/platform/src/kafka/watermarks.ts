import type { Topic } from '@baton/contracts';
import type { Admin } from 'kafkajs';
import { type KafkaConnection, within } from './kafka';

const ANSWER_MAX_MS = 3_000;

export interface Head {
  /** Offsets mean something in this cluster alone. */
  readonly clusterId: string;
  /** The next offset of each partition that holds something. */
  readonly ends: ReadonlyMap<number, bigint>;
  /** What can be read of each partition, also of empty ones. */
  readonly ranges: ReadonlyMap<number, { readonly low: bigint; readonly high: bigint }>;
}

/** Asks where a topic ends, over one connection that is opened anew after each failure. */
export class Watermarks {
  private admin: Admin | null = null;
  private asking: Promise<Head> | null = null;
  private clusterId = '';
  private closed = false;

  constructor(
    private readonly kafka: KafkaConnection,
    private readonly topic: Topic,
  ) {}

  /** Null when the broker did not answer in time. */
  async ask(): Promise<Head | null> {
    try {
      // A question that is still open is waited for, not asked again beside it.
      this.asking ??= this.fetch().finally(() => (this.asking = null));
      return (await within(ANSWER_MAX_MS, this.asking)) ?? null;
    } catch (error) {
      this.kafka.log.debug({ err: error, topic: this.topic }, 'the broker did not say where the topic ends');
      await this.disconnect();
      return null;
    }
  }

  async close(): Promise<void> {
    this.closed = true;
    await this.disconnect();
  }

  private async fetch(): Promise<Head> {
    if (!this.admin) {
      const admin = this.kafka.client.admin({ retry: { retries: 0 } });
      await admin.connect();
      this.admin = admin;
      // Another cluster at the same address is met by way of a new connection.
      this.clusterId = (await admin.describeCluster()).clusterId;
      if (this.closed) await this.disconnect();
    }
    const offsets = (await this.admin?.fetchTopicOffsets(this.kafka.prefix + this.topic)) ?? [];
    const ranges = new Map(offsets.map(({ partition, low, high }) => [partition, { low: BigInt(low), high: BigInt(high) }]));
    const ends = [...ranges].filter(([, { low, high }]) => high > low).map(([partition, { high }]) => [partition, high] as const);
    return { clusterId: this.clusterId, ends: new Map(ends), ranges };
  }

  private async disconnect(): Promise<void> {
    const admin = this.admin;
    this.admin = null;
    await within(
      1_000,
      admin?.disconnect().catch(() => undefined),
    );
  }
}
