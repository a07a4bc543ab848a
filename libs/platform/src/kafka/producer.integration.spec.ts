import { deadLetterTopic, TOPICS } from '@baton/contracts';
import { ownPrefix, stores } from '@baton/testing';
import { randomUUID } from 'node:crypto';
import { InfrastructureError } from '../ports';
import { connectKafka } from './kafka';
import { BoundedProducer, type OutgoingMessage, UnsendableMessage } from './producer';
import { log, Testbed } from './testbed';
import { createTopics } from './topics';

const bed = new Testbed(stores(), ownPrefix());
beforeAll(() => createTopics(bed.kafka), 60_000);
afterAll(() => bed.producer.close());

const message = (value: string | Buffer = randomUUID(), topic: string = TOPICS.clicks): OutgoingMessage => ({
  topic,
  key: randomUUID(),
  value,
  headers: { ce_id: 'x' },
});
const stored = async (topic: string = TOPICS.clicks) => (await bed.records(topic)).map((r) => String(r.value));

describe('the producer', () => {
  it('fails a message that is too large alone: its neighbours are in Kafka, and so is what comes after', async () => {
    const neighbours = Array.from({ length: 40 }, () => message());
    const tooLarge = message(Buffer.alloc(1_200_000, 0x61));
    const sends = [...neighbours.slice(0, 20), tooLarge, ...neighbours.slice(20)].map((m) => bed.producer.send([m]));
    const results = await Promise.allSettled(sends);
    expect(results.flatMap((r, i) => (r.status === 'rejected' ? [i] : []))).toEqual([20]);
    expect((results[20] as PromiseRejectedResult).reason).toBeInstanceOf(UnsendableMessage);
    // Sent under the sequence numbers that the refused request had: a broker that took them for repeats would acknowledge and drop them.
    const later = Array.from({ length: 40 }, () => message());
    await Promise.all(later.map((m) => bed.producer.send([m])));
    expect(await stored()).toEqual(expect.arrayContaining([...neighbours, ...later].map((m) => m.value)));
  }, 30_000);

  it('says of an unknown topic that it will never be, in time, and fails no neighbour', async () => {
    const neighbour = message();
    const [unknown, known] = await Promise.allSettled([
      bed.producer.send([message('x', 'baton.nowhere.v1')]),
      bed.producer.send([neighbour]),
    ]);
    expect((unknown as PromiseRejectedResult).reason).toBeInstanceOf(UnsendableMessage);
    expect(known.status).toBe('fulfilled');
    expect(await stored()).toContain(neighbour.value);
  }, 30_000);

  it('keeps the order of a key over many sends', async () => {
    const key = randomUUID();
    const sends = Array.from({ length: 500 }, (_, i) => bed.producer.send([{ ...message(`${key} ${i}`, TOPICS.touches), key }]));
    await Promise.all(sends);
    const values = (await stored(TOPICS.touches)).filter((v) => v.startsWith(key));
    expect(values).toEqual(Array.from({ length: 500 }, (_, i) => `${key} ${i}`));
  }, 30_000);

  it('brings keys, values and headers to a consumer as they were', async () => {
    const sent: OutgoingMessage[] = [
      {
        topic: TOPICS.touches,
        key: 'κλειδί',
        value: 'Grüße \u0000 🏃',
        headers: { ce_id: 'naïve', empty: '', bytes: Buffer.from([0, 255, 1]) },
      },
      { topic: TOPICS.touches, key: Buffer.from([0, 1, 2]), value: Buffer.alloc(150_000, 7), headers: {} },
      { topic: TOPICS.touches, key: 'tombstone', value: null, headers: { ce_id: 'x' } },
      { topic: TOPICS.touches, key: 'empty', value: '', headers: Object.fromEntries(Array.from({ length: 40 }, (_, i) => [`h${i}`, 'v'])) },
      // What only kafkajs's own encoder takes.
      { topic: TOPICS.touches, key: 'list', value: 'v', headers: { twice: ['a', 'b'] } },
    ];
    await bed.producer.send(sent);
    const records = await bed.records(TOPICS.touches);
    const bytes = (value: string | Buffer | null): string | null => (value === null ? null : Buffer.from(value).toString('hex'));
    for (const { key, value, headers } of sent) {
      const found = records.find((record) => bytes(record.key) === bytes(key));
      expect(found && bytes(found.value)).toBe(bytes(value));
      for (const [name, header] of Object.entries(headers)) expect(String(found?.headers?.[name])).toBe(String(header));
    }
  }, 30_000);

  it('fits a megabyte with its headers into the dead letters', async () => {
    await bed.producer.send([message(Buffer.alloc(1_048_000, 0x61), deadLetterTopic(TOPICS.clicks, 'attribution'))]);
  }, 30_000);

  it('gives up at its deadline while there is no broker, refuses what is over its bound, and closes', async () => {
    const producer = new BoundedProducer({
      kafka: connectKafka({ brokers: ['127.0.0.1:1'], clientId: 'test', prefix: bed.prefix, log }),
      deadlineMs: 700,
      messagesMax: 10,
    });
    const started = Date.now();
    const sends = Array.from({ length: 15 }, () => producer.send([message()]).catch((error: unknown) => error));
    const errors = (await Promise.all(sends)) as InfrastructureError[];
    expect(Date.now() - started).toBeLessThan(2_500);
    expect(errors.map((e) => (e instanceof InfrastructureError ? e.kind : e))).toEqual([
      ...Array<string>(10).fill('timeout'),
      ...Array<string>(5).fill('capacity'),
    ]);
    await producer.close();
  }, 30_000);
});
