import type { Topic } from '@baton/contracts';
import type { Admin } from 'kafkajs';
import { type KafkaConnection, within } from './kafka';

const ANSWER_MAX_MS = 3_000;

/** Asks where a topic ends, over one connection that is opened anew after each failure. */
export class Watermarks {
  private admin: Admin | null = null;
  private asking: Promise<Map<number, bigint>> | null = null;
  private closed = false;

  constructor(
    private readonly kafka: KafkaConnection,
    private readonly topic: Topic,
  ) {}

  /** The next offset of each partition that holds something; null when the broker did not answer in time. */
  async ask(): Promise<Map<number, bigint> | null> {
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

  private async fetch(): Promise<Map<number, bigint>> {
    if (!this.admin) {
      const admin = this.kafka.client.admin({ retry: { retries: 0 } });
      await admin.connect();
      this.admin = admin;
      if (this.closed) await this.disconnect();
    }
    const offsets = (await this.admin?.fetchTopicOffsets(this.kafka.prefix + this.topic)) ?? [];
    return new Map(offsets.filter((o) => BigInt(o.high) > BigInt(o.low)).map((o) => [o.partition, BigInt(o.high)]));
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
