import type { TopicMessages } from 'kafkajs';
import { InfrastructureError } from '../ports';
import { counter, gauge } from '../run/metrics';
import type { KafkaConnection } from './kafka';
import { openSession, type ProducerSession } from './producer-session';
import { refusalOf } from './refusal';

export interface OutgoingMessage {
  /** Unprefixed. */
  readonly topic: string;
  readonly key: string | Buffer | null;
  readonly value: string | Buffer | null;
  readonly headers: Record<string, string | Buffer | (string | Buffer)[]>;
}

export interface Producer {
  /**
   * Resolves when every message was acknowledged by all in-sync replicas. Throws `InfrastructureError` when that did not happen in time:
   * the outcome is then unknown (some, all or none may be in Kafka, or still arrive a little later, after newer ones), so that sending again
   * may make a duplicate, never a loss. Throws `UnsendableMessage` when the broker refuses one of these messages for good; the others of the
   * same call may or may not be in Kafka. Messages of one call and one key keep their order.
   */
  send(messages: readonly OutgoingMessage[], deadlineMs?: number): Promise<void>;
  /** Waits for what is on its way, at most one deadline, then disconnects. */
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
  /** How long a caller waits for the acknowledgement unless it says otherwise. */
  readonly deadlineMs?: number;
  /** Most bytes and messages that may wait at once; above that a send is refused at once. */
  readonly bytesMax?: number;
  readonly messagesMax?: number;
}

const FLIGHT_MESSAGES = 2_000;
const FLIGHT_BYTES = 4 * 1024 * 1024;

/**
 * Group commit: what callers hand over while one request is on its way leaves together in the next. One request is in flight at a time,
 * so messages of a key keep their order.
 */
export class BoundedProducer implements Producer {
  private session: ProducerSession | null = null;
  private readonly queue: Waiting[] = [];
  private bytes = 0;
  private count = 0;
  private flying = false;
  private closing = false;
  private readonly sends = counter('baton_kafka_sends_total', 'Messages handed to Kafka, by outcome', ['outcome']);
  private readonly waitingNow = gauge('baton_kafka_producer_waiting', 'Messages waiting to be acknowledged');
  private readonly deadlineMs: number;
  private readonly bytesMax: number;
  private readonly messagesMax: number;

  constructor(private readonly options: ProducerOptions) {
    this.deadlineMs = options.deadlineMs ?? 5_000;
    this.bytesMax = options.bytesMax ?? 32 * 1024 * 1024;
    this.messagesMax = options.messagesMax ?? 20_000;
  }

  send(messages: readonly OutgoingMessage[], deadlineMs = this.deadlineMs): Promise<void> {
    if (messages.length === 0) return Promise.resolve();
    if (this.closing) return Promise.reject(new InfrastructureError('kafka', 'closing', new Error('the producer is closing')));
    const bytes = messages.reduce((sum, message) => sum + bytesOf(message), 0);
    if (this.bytes + bytes > this.bytesMax || this.count + messages.length > this.messagesMax) {
      this.sends.inc({ outcome: 'refused' }, messages.length);
      return Promise.reject(
        new InfrastructureError(
          'kafka',
          'capacity',
          new Error(`${this.count} messages (${this.bytes} bytes) wait already; at most ${this.messagesMax} (${this.bytesMax} bytes) may`),
        ),
      );
    }
    return new Promise((resolve, reject) => {
      const late = (): void =>
        this.settle(waiting, new InfrastructureError('kafka', 'timeout', new Error(`not acknowledged within ${deadlineMs} ms`)));
      const waiting: Waiting = { messages, bytes, resolve, reject, settled: false, timer: setTimeout(late, deadlineMs) };
      this.queue.push(waiting);
      this.bytes += bytes;
      this.count += messages.length;
      this.waitingNow.inc(messages.length);
      this.fly();
    });
  }

  async close(): Promise<void> {
    this.closing = true;
    const end = Date.now() + this.deadlineMs;
    while ((this.queue.length > 0 || this.flying) && Date.now() < end) await new Promise((resolve) => setTimeout(resolve, 20));
    await this.beginAnew();
  }

  private fly(): void {
    if (this.flying) return;
    this.flying = true;
    // A turn of the event loop later: what the same tick hands over goes along.
    setImmediate(() => void this.flights());
  }

  private async flights(): Promise<void> {
    try {
      while (this.queue.length > 0) await this.deliver(this.take());
    } finally {
      this.flying = false;
    }
  }

  private take(): Waiting[] {
    const load: Waiting[] = [];
    let messages = 0;
    let bytes = 0;
    while (this.queue.length > 0 && messages < FLIGHT_MESSAGES && bytes < FLIGHT_BYTES) {
      const next = this.queue.shift() as Waiting;
      load.push(next);
      messages += next.messages.length;
      bytes += next.bytes;
    }
    return load;
  }

  /** All at once; a refused message is found by halving, so that it takes no neighbour along. */
  private async deliver(load: readonly Waiting[]): Promise<void> {
    // What nobody waits for any more is not sent.
    const live = load.filter((waiting) => !waiting.settled);
    if (live.length === 0) return;
    try {
      await this.dispatch(live.flatMap((waiting) => waiting.messages));
      for (const waiting of live) this.settle(waiting);
    } catch (error) {
      // kafkajs has taken back sequence numbers that the broker may have used: what is sent next under them would be dropped as a repeat.
      await this.beginAnew();
      const refusal = refusalOf(error);
      if (refusal !== null && live.length > 1) {
        const half = live.length >> 1;
        await this.deliver(live.slice(0, half));
        await this.deliver(live.slice(half));
        return;
      }
      const known =
        refusal !== null
          ? new UnsendableMessage(refusal)
          : error instanceof InfrastructureError
            ? error
            : new InfrastructureError('kafka', 'connection', error);
      for (const waiting of live) this.settle(waiting, known);
    }
  }

  /** A flight has a deadline of its own: kafkajs would hold one on a silent connection for minutes. */
  private async dispatch(messages: readonly OutgoingMessage[]): Promise<void> {
    this.session ??= openSession(this.options.kafka);
    const sending = this.session.send(byTopic(messages, this.options.kafka.prefix));
    let timer: NodeJS.Timeout | undefined;
    const deadline = new Promise<never>((_, reject) => {
      timer = setTimeout(
        () => reject(new InfrastructureError('kafka', 'timeout', new Error('the broker did not acknowledge in time'))),
        this.deadlineMs,
      );
    });
    try {
      await Promise.race([sending, deadline]);
    } finally {
      clearTimeout(timer);
    }
  }

  private settle(waiting: Waiting, error?: Error): void {
    if (waiting.settled) return;
    waiting.settled = true;
    clearTimeout(waiting.timer);
    this.bytes -= waiting.bytes;
    this.count -= waiting.messages.length;
    this.waitingNow.dec(waiting.messages.length);
    this.sends.inc({ outcome: error ? 'failed' : 'acknowledged' }, waiting.messages.length);
    if (error) waiting.reject(error);
    else waiting.resolve();
  }

  private async beginAnew(): Promise<void> {
    const session = this.session;
    this.session = null;
    await session?.abandon();
  }
}

function byTopic(messages: readonly OutgoingMessage[], prefix: string): TopicMessages[] {
  const topics = new Map<string, TopicMessages['messages']>();
  for (const { topic, key, value, headers } of messages) {
    const list = topics.get(topic) ?? [];
    list.push({ key, value, headers });
    topics.set(topic, list);
  }
  return [...topics].map(([topic, list]) => ({ topic: prefix + topic, messages: list }));
}

/** Headers and envelope are a few hundred bytes. */
const bytesOf = ({ key, value }: OutgoingMessage): number => Buffer.byteLength(value ?? '') + Buffer.byteLength(key ?? '') + 500;
