import { InvalidEvent, TOPICS, ReversalReceived } from '@baton/contracts';
import { eventually, ownPrefix, stores } from '@baton/testing';
import { randomUUID } from 'node:crypto';
import type { Message } from 'kafkajs';
import { InfrastructureError } from '../ports';
import type { TopicRecord } from './read-topic';
import { messageOf, Testbed, reversal } from './testbed';

const DLQ = `${TOPICS.reversals}.dlq.attribution`;
const bed = new Testbed(stores(), ownPrefix());

beforeAll(() => bed.open(), 60_000);
afterEach(() => bed.stopConsumers(), 30_000);
afterAll(() => bed.close(), 30_000);

const good = (count: number, mark?: string, partition?: number) => {
  const reversals = Array.from({ length: count }, () => reversal(mark));
  return { messages: reversals.map((r) => messageOf(r, partition)), ids: reversals.map((r) => r.reversalId).sort() };
};

const newDeadLetters = async (before: readonly TopicRecord[]): Promise<TopicRecord[]> => {
  const seen = new Set(before.map((r) => `${r.partition}/${r.offset}`));
  return (await bed.records(DLQ)).filter((r) => !seen.has(`${r.partition}/${r.offset}`));
};

/** The message with another value or headers. */
const with_ = (change: Partial<Message>, headers: Record<string, string | undefined> = {}): Message => {
  const message = messageOf(reversal());
  return {
    ...message,
    ...change,
    headers: Object.fromEntries(
      Object.entries({ ...message.headers, ...headers }).filter(([, v]) => v !== undefined),
    ) as Message['headers'],
  };
};
const withData = (change: object): Message => with_({ value: JSON.stringify({ ...reversal(), ...change }) });

const POISON: readonly (readonly [string, string, () => Message])[] = [
  ['not JSON', 'not_json', () => with_({ value: 'no json' })],
  ['no value', 'null_value', () => with_({ value: null })],
  ['no bytes', 'empty', () => with_({ value: Buffer.alloc(0) })],
  ['5,000 nested arrays', 'too_deep', () => with_({ value: '['.repeat(5_000) + ']'.repeat(5_000) })],
  ['wrong types', 'schema', () => withData({ test: 'yes', receiptId: 7 })],
  ['another tenant', 'wrong_tenant', () => with_({}, { ce_tenant: randomUUID() })],
  ['a megabyte', 'too_large', () => with_({ value: Buffer.alloc(1_000_000, 0x61) })],
  ['an unknown version', 'unknown_version', () => with_({}, { ce_type: 'baton.reversal.received.v99' })],
  ['no key', 'wrong_key', () => with_({ key: null })],
  ['a bad date', 'schema', () => withData({ occurredAt: '2026-02-31T25:00:00Z' })],
  ['a float as an amount', 'schema', () => withData({ amountMinor: 12.5 })],
  ['an unknown type', 'unknown_type', () => with_({}, { ce_type: 'baton.nothing.v1' })],
];

describe('a consumer', () => {
  it('makes a dead letter of each kind of poison and applies every good message around it', async () => {
    const before = await bed.records(DLQ);
    const { messages, ids } = good(60);
    POISON.forEach(([, , make], i) => messages.splice(i * 5, 0, make()));
    await bed.put(messages);
    await bed.consumer();
    await eventually(async () => expect(await bed.lag()).toBe(0), 20_000);
    expect(await bed.effects(ids)).toEqual(ids);
    const dead = await newDeadLetters(before);
    expect(dead.map((d) => String(d.headers['baton_dlq_reason'])).sort()).toEqual(POISON.map(([, reason]) => reason).sort());
    const large = dead.find((d) => String(d.headers['baton_dlq_reason']) === 'too_large');
    expect(large?.value?.length).toBe(1_000_000);
    expect(String(large?.headers['ce_type'])).toBe(ReversalReceived.ceType);
    expect(String(large?.headers['baton_dlq_topic'])).toBe(TOPICS.reversals);
  }, 60_000);

  it.each<[string, () => unknown]>([
    ['TypeError', () => new TypeError('x is not a function')],
    ['RangeError', () => new RangeError('Maximum call stack size exceeded')],
    ['null', () => null],
    ['undefined', () => undefined],
    ['an object without a prototype', () => Object.create(null) as object],
    ['InvalidEvent', () => new InvalidEvent('schema', 'Connection terminated: said the message')],
  ])(
    'makes a dead letter of the one message for which the handler throws %s, and lives on',
    async (name, thrown) => {
      const before = await bed.records(DLQ);
      const mark = `poison-${randomUUID()}`;
      const bad = reversal(mark);
      const { messages, ids } = good(40);
      messages.splice(17, 0, messageOf(bad, 1));
      await bed.put(messages);
      const consumer = await bed.consumer({
        failing: (data) => {
          if (data.reason === mark) throw thrown();
        },
      });
      await eventually(async () => expect(await bed.lag()).toBe(0), 20_000);
      expect(await bed.effects([...ids, bad.reversalId])).toEqual(ids);
      const dead = await newDeadLetters(before);
      expect(dead.map((d) => [String(d.headers['ce_id']), String(d.headers['baton_dlq_reason'])])).toEqual([
        [bad.reversalId, name === 'InvalidEvent' ? 'schema' : 'handler'],
      ]);
      const after = good(5);
      await bed.put(after.messages);
      await eventually(async () => expect(await bed.effects(after.ids)).toEqual(after.ids));
      expect(consumer.dead).toEqual([]);
    },
    60_000,
  );

  it('lets a partition wait for a store alone, without halving or dead letters, and goes on when the store is back', async () => {
    const before = await bed.records(DLQ);
    const mark = `waits-${randomUUID()}`;
    let isDown = true;
    let tries = 0;
    const waiting = good(20, mark, 0);
    const others = good(20, undefined, 1);
    await bed.put([...waiting.messages, ...others.messages]);
    const consumer = await bed.consumer({
      failing: (data) => {
        if (data.reason !== mark || !isDown) return;
        tries++;
        throw new InfrastructureError('postgres', 'connection', new Error('connect ECONNREFUSED'));
      },
    });
    await eventually(async () => expect(await bed.effects(others.ids)).toEqual(others.ids));
    const later = good(20, undefined, 1);
    await bed.put(later.messages);
    // Three seconds are more than the retries in place: the partition is paused by now, and tried again from time to time.
    await eventually(async () => expect(await bed.effects(later.ids)).toEqual(later.ids), 3_000);
    await eventually(() => expect(tries).toBeGreaterThan(6), 15_000);
    expect(await bed.effects(waiting.ids)).toEqual([]);
    isDown = false;
    await eventually(async () => expect(await bed.effects(waiting.ids)).toEqual(waiting.ids), 15_000);
    await eventually(async () => expect(await bed.lag()).toBe(0));
    expect(await newDeadLetters(before)).toEqual([]);
    expect(consumer.dead).toEqual([]);
  }, 60_000);

  it('commits the offset only after the database has committed', async () => {
    const mark = `order-${randomUUID()}`;
    const { messages, ids } = good(10, mark);
    await bed.put(messages);
    let lagInside: number | undefined;
    await bed.consumer({
      failing: async (data) => {
        if (data.reason === mark) lagInside = await bed.lag();
      },
      batchMax: 1_000,
      partitionsAtOnce: 1,
    });
    await eventually(async () => expect(await bed.lag()).toBe(0), 20_000);
    expect(lagInside).toBeGreaterThan(0);
    expect(await bed.effects(ids)).toEqual(ids);
  }, 60_000);

  it('halves once for every level: the good ones of a failing batch are applied exactly once', async () => {
    const mark = `half-${randomUUID()}`;
    const { messages, ids } = good(64, undefined, 2);
    const bad = [reversal(mark), reversal(mark)];
    messages.splice(10, 0, messageOf(bad[0]!, 2));
    messages.splice(50, 0, messageOf(bad[1]!, 2));
    await bed.put(messages);
    await bed.consumer({ failing: (data) => (data.reason === mark ? Promise.reject(new SyntaxError('bad')) : undefined) });
    await eventually(async () => expect(await bed.lag()).toBe(0), 20_000);
    expect((await bed.deeds(ids)).map((d) => d.id).sort()).toEqual(ids);
  }, 60_000);
});

describe('two replicas of a consumer', () => {
  it('lose nothing and do everything once when one joins and one leaves under load', async () => {
    const { messages, ids } = good(3_000);
    await bed.put(messages);
    const first = await bed.consumer({ replica: 'a', batchMax: 20 });
    await eventually(async () => expect((await bed.deeds(ids)).length).toBeGreaterThan(0));
    const second = await bed.consumer({ replica: 'b', batchMax: 20 });
    await eventually(() => expect(second.unready()).toBeUndefined(), 20_000);
    const more = good(1_000);
    await bed.put(more.messages);
    await eventually(async () => expect((await bed.deeds(more.ids)).some((d) => d.replica === 'b')).toBe(true), 20_000);
    await first.stop();
    const last = good(500);
    await bed.put(last.messages);
    await eventually(async () => expect(await bed.lag()).toBe(0), 30_000);
    const all = [...ids, ...more.ids, ...last.ids].sort();
    expect(await bed.effects(all)).toEqual(all);
  }, 90_000);
});
