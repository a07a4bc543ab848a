import { AttributionRevised, type AttributionRevisedData, encode, nameId, type Outgoing, parse, TOPICS } from '@baton/contracts';
import { BoundedProducer, connectKafka, createLog, createTopics, type KafkaConnection, loadEnv, type Part } from '@baton/platform';
import { type TestDatabase, testDatabase } from '@baton/platform/testing';
import { eventually, ownPrefix, stores as testStores } from '@baton/testing';
import { randomUUID } from 'node:crypto';
import { compose, postgresStores } from './app.module';
import { Env } from './env';
import { at, click, clickIdOf, conversion, identity, KEYS_TEXT, link, program, reversal } from './testing/facts';
import { reference, summaryOf } from './testing/reference';
import { newest, type World, world } from './testing/world';

const log = createLog('test', 'silent');
const ORDERS = 60;

describe('two replicas on Kafka', () => {
  let db: TestDatabase;
  let kafka: KafkaConnection;
  let producer: BoundedProducer;
  let reader: World;
  const prefix = ownPrefix();
  const dead: string[] = [];
  const running: (readonly Part[])[] = [];

  const replica = async (): Promise<readonly Part[]> => {
    const env = loadEnv(Env, {
      PORT: '0',
      KAFKA_BROKERS: testStores().kafkaBrokers.join(','),
      TOPIC_PREFIX: prefix,
      DATABASE_URL: db.worker,
      DATABASE_API_URL: db.api,
      CLICK_ID_KEYS: KEYS_TEXT,
      PENDING_MS: '0',
      BATCH_MAX: '20',
    });
    const { parts } = compose({ service: 'attribution', env, log, fatal: (reason) => dead.push(reason) });
    for (const part of parts) await part.start?.();
    running.push(parts);
    return parts;
  };
  const stop = async (parts: readonly Part[]): Promise<void> => {
    running.splice(running.indexOf(parts), 1);
    for (const part of [...parts].reverse()) await part.stop?.();
  };
  const send = (facts: readonly Outgoing[]): Promise<void> =>
    producer.send(facts.map((fact) => ({ topic: fact.contract.topic, ...encode(fact) })));

  beforeAll(async () => {
    kafka = connectKafka({ brokers: testStores().kafkaBrokers, clientId: 'test', prefix, log });
    await createTopics(kafka);
    db = await testDatabase('attribution', { adminUrl: testStores().postgresAdminUrl, prefix });
    producer = new BoundedProducer({ kafka });
    reader = world(db.worker, postgresStores(), 0);
  }, 60_000);
  afterAll(async () => {
    for (const parts of [...running]) await stop(parts);
    await reader?.close();
    await producer?.close();
    await db?.drop();
  }, 60_000);

  it('end where the rules say, though clicks come last, everything comes twice, one replica leaves and another joins', async () => {
    const tenants = [randomUUID(), randomUUID()];
    const facts = tenants.flatMap((t) => [
      program(t, 'odd'),
      link(t, 1),
      ...Array.from({ length: ORDERS }, (_, i) => factsOf(t, i)).flat(),
    ]);
    const clicks = facts.filter(({ contract }) => contract.topic === TOPICS.clicks);
    const others = facts.filter(({ contract }) => contract.topic !== TOPICS.clicks);
    const first = await replica();
    await send(others.filter((_, i) => i % 2 === 0));
    await replica();
    await send(others);
    await eventually(async () => (await newest(reader, tenants)).size > ORDERS / 2, 30_000);
    await stop(first);
    await send([...clicks, ...clicks]);
    await replica();

    const expected = reference(facts, true);
    await eventually(
      async () => {
        const found = new Map([...(await newest(reader, tenants))].map(([id, revised]) => [id, summaryOf(revised)]));
        expect(Object.fromEntries(found)).toEqual(Object.fromEntries(expected));
      },
      60_000,
      250,
    );
    expect(dead).toEqual([]);

    const stored = await newest(reader, tenants);
    const published = await eventually(
      async () => {
        const seen = await publishedRevisions(kafka);
        expect(new Map([...seen].map(([id, list]) => [id, list[list.length - 1]?.revision]))).toEqual(
          new Map([...stored].map(([id, { revision }]) => [id, revision])),
        );
        return seen;
      },
      30_000,
      500,
    );
    for (const [id, list] of published) {
      expect(newOnes(list).map(({ revision }) => revision)).toEqual(
        Array.from({ length: list.length === 0 ? 0 : (stored.get(id)?.revision ?? 0) }, (_, i) => i + 1),
      );
      expect(list[list.length - 1]).toEqual(stored.get(id));
    }
  }, 180_000);
});

/** A customer with a click, a conversion that names it or only the customer, sometimes a refund and a second customer id. */
function factsOf(tenant: string, i: number): Outgoing[] {
  const clickId = clickIdOf(tenant, 1, at(0) + i);
  return [
    click(tenant, 1, at(0) + i),
    conversion(tenant, `o${i}`, at(5), i % 3 ? { clickId } : { customerId: `k${i}` }),
    identity(tenant, { kind: 'customer_id', value: `k${i}` }, { kind: 'click_id', value: clickId }),
    ...(i % 4 === 0 ? [reversal(tenant, `o${i}`, 'r', i % 8 ? 500 : null, at(9))] : []),
    ...(i % 5 === 0
      ? [identity(tenant, { kind: 'customer_id', value: `k${i}` }, { kind: 'visitor_id', value: nameId('visitor', i).slice(0, 8) })]
      : []),
  ];
}

/** A relay may send twice after a crash; a consumer ignores what is not newer. */
const newOnes = (list: readonly AttributionRevisedData[]): AttributionRevisedData[] =>
  list.filter(({ revision }, i) => list.slice(0, i).every((earlier) => earlier.revision < revision));

/** Every revision in the topic, by conversion, in the order of its partition. */
async function publishedRevisions(kafka: KafkaConnection): Promise<Map<string, AttributionRevisedData[]>> {
  const admin = kafka.client.admin();
  const consumer = kafka.client.consumer({ groupId: `${kafka.prefix}reader-${randomUUID()}` });
  const topic = kafka.prefix + TOPICS.attributions;
  const seen = new Map<string, AttributionRevisedData[]>();
  let count = 0;
  try {
    await admin.connect();
    const end = (await admin.fetchTopicOffsets(topic)).reduce((sum, { high }) => sum + Number(high), 0);
    await consumer.connect();
    await consumer.subscribe({ topic, fromBeginning: true });
    await consumer.run({
      eachMessage: async ({ message }) => {
        const { data, contract } = parse(TOPICS.attributions, message);
        if (contract.ceType === AttributionRevised.ceType)
          seen.set((data as AttributionRevisedData).conversionId, [
            ...(seen.get((data as AttributionRevisedData).conversionId) ?? []),
            data as AttributionRevisedData,
          ]);
        count++;
        return Promise.resolve();
      },
    });
    await eventually(() => count >= end, 20_000);
    return seen;
  } finally {
    await consumer.disconnect();
    await admin.disconnect();
  }
}
