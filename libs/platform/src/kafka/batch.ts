import { InvalidEvent, type Outgoing, parse, type Received, specOf, type Topic } from '@baton/contracts';
import type { KafkaMessage } from 'kafkajs';
import { type Database, isRouted, type Route, type Tx } from '../ports';
import type { Log } from '../run/log';
import { applyHalving, failureOf } from './apply';
import { cutDeadLetter, type DeadLetter, deadLetterMessage, type Place } from './dead-letter';
import { type Producer, UnsendableMessage } from './producer';
import type { ConsumerProgress } from './progress';

export interface BatchOptions {
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
}

/** A dead letter may have a megabyte: more of them at once would fill the producer. */
const BURIED_AT_ONCE = 16;

/** What is done with the messages of one partition, without Kafka's part in it: offsets and waiting are the consumer's. */
export class BatchWork {
  constructor(
    private readonly options: BatchOptions,
    private readonly progress: ConsumerProgress,
  ) {}

  /** Applies every good message and gives the others, in the order of their offsets. Throws `InfrastructureError` alone; applying again is harmless. */
  async apply(topic: Topic, partition: number, messages: readonly KafkaMessage[]): Promise<DeadLetter[]> {
    const { good, bad } = this.read(topic, messages);
    const refused = await applyHalving([...good.keys()], async (events) => {
      try {
        await this.transaction(events);
      } finally {
        this.progress.tried(topic, partition);
      }
    });
    const dead = [...bad, ...refused.map(({ event, reason, error }) => ({ message: good.get(event) as KafkaMessage, reason, error }))];
    return dead.sort((a, b) => (BigInt(a.message.offset) < BigInt(b.message.offset) ? -1 : 1));
  }

  /** Before the offset is committed. A message too large for the dead letters goes there cut: its place in the topic is in the headers. */
  async bury(dead: readonly DeadLetter[], topic: Topic, partition: number): Promise<void> {
    const place: Place = { topic, partition, group: this.options.group };
    const at = new Date();
    for (let from = 0; from < dead.length; from += BURIED_AT_ONCE) {
      await Promise.all(dead.slice(from, from + BURIED_AT_ONCE).map((letter) => this.buryOne(letter, place, at)));
    }
  }

  private async buryOne(letter: DeadLetter, place: Place, at: Date): Promise<void> {
    const message = deadLetterMessage(letter, place, at);
    try {
      await this.options.producer.send([message]);
    } catch (error) {
      if (!(error instanceof UnsendableMessage)) throw error;
      await this.options.producer.send([cutDeadLetter(message)]);
    }
    this.progress.deadLetters.inc({ group: place.group, topic: place.topic, reason: letter.reason });
    this.options.log.warn({ ...place, offset: letter.message.offset, reason: letter.reason, error: letter.error }, 'dead letter');
  }

  private read(topic: Topic, messages: readonly KafkaMessage[]): { good: Map<Received, KafkaMessage>; bad: DeadLetter[] } {
    const compacted = specOf(topic).kind === 'compacted';
    const good = new Map<Received, KafkaMessage>();
    const bad: DeadLetter[] = [];
    for (const message of messages) {
      // A tombstone of a compacted topic: what it deletes was refused and unused long before.
      if (compacted && message.value === null) continue;
      try {
        good.set(parse(topic, message), message);
      } catch (error) {
        bad.push({ message, ...failureOf(error) });
      }
    }
    return { good, bad };
  }

  /** One transaction for all: effects and outgoing events stand or fall together. Contracts without a route are passed over. */
  private async transaction(events: readonly Received[]): Promise<void> {
    const routed = this.options.routes
      .map((route) => ({ route, events: events.filter((event) => isRouted(route, event)) }))
      .filter((r) => r.events.length > 0);
    if (routed.length === 0) return;
    const tenants = [...new Set(routed.flatMap((r) => r.events.map((e) => e.data.tenantId)))].sort();
    let invalid: InvalidEvent | undefined;
    try {
      await this.options.database.transaction(tenants, async (tx) => {
        invalid = undefined;
        try {
          const outgoing: Outgoing[] = [];
          for (const { route, events: own } of routed) outgoing.push(...(await this.handle(route, own, tx)));
          if (outgoing.length > 0) await this.options.writeOutbox(tx, outgoing);
        } catch (error) {
          if (error instanceof InvalidEvent) invalid = error;
          throw error;
        }
      });
    } catch (error) {
      // Its text quotes the message: no classification by words may make the world's fault of it.
      throw invalid ?? error;
    }
    this.options.committed?.();
  }

  private async handle(route: Route, events: readonly Received[], tx: Tx): Promise<readonly Outgoing[]> {
    const done = this.progress.handlerSeconds.startTimer({ group: this.options.group, type: route.contract.ceType });
    try {
      return await route.handle(events, tx);
    } finally {
      done();
    }
  }
}
