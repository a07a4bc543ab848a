import type { Producer as KafkaProducer, TopicMessages } from 'kafkajs';
import { InfrastructureError } from '../ports';
import { counter, gauge } from '../run/metrics';
import type { KafkaConnection } from './kafka';

export interface OutgoingMessage {
  /** Unprefixed. */
  readonly topic: string;
  readonly key: string | Buffer | null;
  readonly value: string | Buffer | null;
  readonly headers: Record<string, string | Buffer>;
}

export interface Producer {
  /**
   * Resolves when every message was acknowledged by all in-sync replicas. Throws `InfrastructureError` when that did not happen in time
   * (the outcome is then unknown: sending again may make a duplicate, never a loss) and `UnsendableMessage` when the broker refuses it for good.
   */
  send(messages: readonly OutgoingMessage[], deadlineMs?: number): Promise<void>;
  close(): Promise<void>;
}

/** The broker will never take this: too large, or no such topic. */
export class UnsendableMessage extends Error {
  override readonly name = 'UnsendableMessage';
}

interface Waiting {
  readonly messages: readonly OutgoingMessage[];
  readonly bytes: number;
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;
  readonly timer: NodeJS.Timeout;
  settled: boolean;
}

export interface ProducerOptions {
  readonly kafka: KafkaConnection;
  readonly deadlineMs?: number;
  readonly bytesMax?: number;
  readonly messagesMax?: number;
}

const FLIGHT_MESSAGES = 2_000;
const FLIGHT_BYTES = 4 * 1024 * 1024;
const PERMANENT = new Set(['MESSAGE_TOO_LARGE', 'RECORD_LIST_TOO_LARGE', 'INVALID_RECORD', 'INVALID_TOPIC_EXCEPTION', 'TOPIC_AUTHORIZATION_FAILED', 'UNKNOWN_TOPIC_OR_PARTITION']);

/**
 * Group commit: what callers hand over while one request is on its way leaves together in the next. One request is in flight at a time,
 * so messages of a key keep their order. Bounded: over the limit a send is refused at once.
 */
export class BoundedProducer implements Producer {
  private producer: KafkaProducer | null = null;
  private readonly queue: Waiting[] = [];
  private bytes = 0;
  private count = 0;
  private flying = false;
  private closing = false;
  private readonly sends = counter('baton_kafka_sends_total', 'Messages handed to Kafka, by outcome', ['outcome']);
  private readonly deadlineMs: number;
  private readonly bytesMax: number;
  private readonly messagesMax: number;

  constructor(private readonly options: ProducerOptions) {
    this.deadlineMs = options.deadlineMs ?? 5_000;
    this.bytesMax = options.bytesMax ?? 32 * 1024 * 1024;
    this.messagesMax = options.messagesMax ?? 20_000;
    gauge('baton_kafka_producer_waiting', 'Messages waiting to be acknowledged').set(0);
  }

  send(messages: readonly OutgoingMessage[], deadlineMs = this.deadlineMs): Promise<void> {
    if (messages.length === 0) return Promise.resolve();
    if (this.closing) return Promise.reject(new InfrastructureError('kafka', 'closing', new Error('the producer is closing')));
    const bytes = messages.reduce((sum, m) => sum + (m.value?.length ?? 0) + 300, 0);
    if (this.bytes + bytes > this.bytesMax || this.count + messages.length > this.messagesMax) {
      this.sends.inc({ outcome: 'refused' }, messages.length);
      return Promise.reject(new InfrastructureError('kafka', 'capacity', new Error(`${this.count} messages are waiting already`)));
    }
    return new Promise((resolve, reject) => {
      const waiting: Waiting = {
        messages,
        bytes,
        resolve,
        reject,
        settled: false,
        timer: setTimeout(() => this.settle(waiting, new InfrastructureError('kafka', 'timeout', new Error(`not acknowledged within ${deadlineMs} ms`))), deadlineMs),
      };
      this.queue.push(waiting);
      this.bytes += bytes;
      this.count += messages.length;
      this.fly();
    });
  }

  async close(): Promise<void> {
    this.closing = true;
    const end = Date.now() + this.deadlineMs;
    while ((this.queue.length > 0 || this.flying) && Date.now() < end) await new Promise((resolve) => setTimeout(resolve, 20));
    await this.drop();
  }

  private fly(): void {
    if (this.flying) return;
    this.flying = true;
    // A turn of the event loop later: what the same tick hands over goes along.
    setImmediate(() => void this.flight());
  }

  private async flight(): Promise<void> {
    while (this.queue.length > 0) {
      const load = this.take();
      if (load.length === 0) continue;
      try {
        await this.dispatch(load);
        for (const waiting of load) this.settle(waiting);
      } catch (error) {
        await this.failed(load, error);
      }
    }
    this.flying = false;
  }

  private take(): Waiting[] {
    const load: Waiting[] = [];
    let messages = 0;
    let bytes = 0;
    while (this.queue.length > 0 && messages < FLIGHT_MESSAGES && bytes < FLIGHT_BYTES) {
      const next = this.queue.shift() as Waiting;
      // What nobody waits for any more is not sent.
      if (next.settled) continue;
      load.push(next);
      messages += next.messages.length;
      bytes += next.bytes;
    }
    return load;
  }

  /** A flight has a deadline of its own: kafkajs would hold one on a silent connection for minutes. */
  private async dispatch(load: readonly Waiting[]): Promise<void> {
    const topics = new Map<string, TopicMessages['messages']>();
    for (const { topic, key, value, headers } of load.flatMap((w) => w.messages)) {
      const list = topics.get(topic) ?? [];
      list.push({ key, value, headers });
      topics.set(topic, list);
    }
    const topicMessages = [...topics].map(([topic, messages]) => ({ topic: this.options.kafka.prefix + topic, messages }));
    let timer: NodeJS.Timeout | undefined;
    const deadline = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new InfrastructureError('kafka', 'timeout', new Error('the broker did not acknowledge in time'))), this.deadlineMs * 2);
    });
    const sending = this.connected().then((producer) => producer.sendBatch({ acks: -1, topicMessages }));
    sending.catch(() => undefined);
    try {
      await Promise.race([sending, deadline]);
    } finally {
      clearTimeout(timer);
    }
  }

  private async failed(load: readonly Waiting[], error: unknown): Promise<void> {
    const type = (error as { type?: string } | null)?.type ?? '';
    if (PERMANENT.has(type)) {
      // A refused message must not take its neighbours along.
      if (load.length > 1) {
        for (const waiting of load) await this.alone(waiting);
        return;
      }
      for (const waiting of load) this.settle(waiting, new UnsendableMessage(`${type}: ${error instanceof Error ? error.message : String(error)}`));
      return;
    }
    const wrapped = error instanceof InfrastructureError ? error : new InfrastructureError('kafka', 'connection', error);
    for (const waiting of load) this.settle(waiting, wrapped);
    // After a failure the sequence numbers of an idempotent producer may not fit any more: begin anew.
    await this.drop();
  }

  private async alone(waiting: Waiting): Promise<void> {
    if (waiting.settled) return;
    try {
      await this.dispatch([waiting]);
      this.settle(waiting);
    } catch (error) {
      await this.failed([waiting], error);
    }
  }

  private settle(waiting: Waiting, error?: Error): void {
    if (waiting.settled) return;
    waiting.settled = true;
    clearTimeout(waiting.timer);
    this.bytes -= waiting.bytes;
    this.count -= waiting.messages.length;
    this.sends.inc({ outcome: error ? 'failed' : 'acknowledged' }, waiting.messages.length);
    if (error) waiting.reject(error);
    else waiting.resolve();
  }

  private async connected(): Promise<KafkaProducer> {
    if (this.producer) return this.producer;
    const producer = this.options.kafka.client.producer({
      idempotent: true,
      maxInFlightRequests: 1,
      allowAutoTopicCreation: false,
      retry: { initialRetryTime: 100, maxRetryTime: 1_000, retries: 3 },
    });
    await producer.connect();
    this.producer = producer;
    return producer;
  }

  private async drop(): Promise<void> {
    const producer = this.producer;
    this.producer = null;
    if (!producer) return;
    await Promise.race([producer.disconnect().catch(() => undefined), new Promise((resolve) => setTimeout(resolve, 1_000).unref())]);
  }
}
