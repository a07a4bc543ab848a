import { encode, type Outgoing, parse, TOPICS, VerdictGiven, type VerdictGivenData } from '@baton/contracts';
import { BoundedProducer, connectKafka, createLog, createTopics, type KafkaConnection, loadEnv, type Part } from '@baton/platform';
import { type TestDatabase, testDatabase } from '@baton/platform/testing';
import { eventually, ownPrefix, stores as testStores } from '@baton/testing';
import { randomUUID } from 'node:crypto';
import { compose } from './app.module';
import { Env } from './env';
import { at, attribution, burst, click, conversionIdOf } from './testing/facts';
import { newestVerdicts } from './testing/world';

const log = createLog('test', 'silent');
const CONVERSIONS = 60;

describe('two replicas on Kafka', () => {
  let db: TestDatabase;
  let kafka: KafkaConnection;
  let producer: BoundedProducer;
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
      BATCH_MAX: '20',
    });
    const { parts } = compose({ service: 'fraud-scoring', env, log, fatal: (reason) => dead.push(reason) });
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
    db = await testDatabase('fraud-scoring', { adminUrl: testStores().postgresAdminUrl, prefix });
    producer = new BoundedProducer({ kafka });
  }, 60_000);
  afterAll(async () => {
    for (const parts of [...running]) await stop(parts);
    await producer?.close();
    await db?.drop();
  }, 60_000);

  it('end where the rules say, though clicks and attributions come at once and twice, one replica leaves and another joins', async () => {
    const tenants = [randomUUID(), randomUUID()];
    // Each conversion has an address of its own: every third with a burst of 20, the others one click short of it.
    const clicks = tenants.flatMap((t) => numbers.flatMap((i) => burst(t, at(i), isHeld(i) ? 20 : 19, own(i))));
    const revisions = (revision: number) => tenants.flatMap((t) => numbers.map((i) => attribution(t, `o${i}`, revision, at(i), own(i))));
    const half = clicks.length / 2;
    const first = await replica();
    await send([...revisions(1), ...clicks.slice(0, half)]);
    await replica();
    await send([...clicks.slice(0, half), ...revisions(2)]);
    await eventually(async () => (await published(kafka)).length > CONVERSIONS / 2, 30_000, 250);
    await stop(first);
    await replica();
    // A click that says two times is nobody's reason to stop.
    await send([click(tenants[0] as string, at(0), 7, { occurredAt: new Date(at(1)).toISOString() })]);
    await send([...clicks, ...revisions(1)]);

    const expected = Object.fromEntries(
      tenants.flatMap((t) => numbers.map((i) => [conversionIdOf(t, `o${i}`), [2, isHeld(i) ? 'held' : 'approved', isHeld(i) ? 50 : 0]])),
    );
    await eventually(
      async () => {
        const newest = newestVerdicts(once(await published(kafka)));
        const found = [...newest].map(([id, { attributionRevision, decision, score }]) => [id, [attributionRevision, decision, score]]);
        expect(Object.fromEntries(found)).toEqual(expected);
      },
      60_000,
      250,
    );
    expect(dead).toEqual([]);
    const letters = await eventually(async () => {
      const found = await messages(kafka, `${TOPICS.clicks}.dlq.fraud-scoring`);
      return found.length > 0 && found;
    }, 20_000);
    expect(letters).toHaveLength(1);
    // In the topic the newest verdict of a conversion is the last: nobody reads an older one after it.
    const all = await published(kafka);
    const last = [...new Map(all.map((verdict) => [verdict.conversionId, verdict])).values()];
    expect(last.map((verdict) => VerdictGiven.idOf(verdict))).toEqual(
      last.map(({ conversionId }) => VerdictGiven.idOf(newestVerdicts(once(all)).get(conversionId) as VerdictGivenData)),
    );
  }, 150_000);
});

const numbers = Array.from({ length: CONVERSIONS }, (_, i) => i);
const isHeld = (i: number): boolean => i % 3 === 0;
const own = (i: number) => ({ addressHash: `address ${i}`, network: `10.0.${i}.0/24` });

/** The relay may send a verdict twice: the same one. */
const once = (verdicts: readonly VerdictGivenData[]): VerdictGivenData[] => [
  ...new Map(verdicts.map((verdict) => [VerdictGiven.idOf(verdict) + JSON.stringify(verdict), verdict])).values(),
];

/** Every verdict in the topic, in the order of its partition; throws where one cannot be read. */
async function published(kafka: KafkaConnection): Promise<VerdictGivenData[]> {
  return (await messages(kafka, TOPICS.verdicts)).map((message) => parse(TOPICS.verdicts, message).data as VerdictGivenData);
}

type Message = Parameters<typeof parse>[1];

async function messages(kafka: KafkaConnection, unprefixed: string): Promise<Message[]> {
  const admin = kafka.client.admin();
  const consumer = kafka.client.consumer({ groupId: `${kafka.prefix}reader-${randomUUID()}` });
  const topic = kafka.prefix + unprefixed;
  const seen: Message[] = [];
  try {
    await admin.connect();
    const end = (await admin.fetchTopicOffsets(topic)).reduce((sum, { high, low }) => sum + Number(high) - Number(low), 0);
    if (end === 0) return [];
    await consumer.connect();
    await consumer.subscribe({ topic, fromBeginning: true });
    await consumer.run({
      eachMessage: async ({ message }) => {
        seen.push(message);
        return Promise.resolve();
      },
    });
    await eventually(() => seen.length >= end, 20_000);
    return seen;
  } finally {
    await consumer.disconnect();
    await admin.disconnect();
  }
}
