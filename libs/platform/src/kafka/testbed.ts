import { emit, encode, ReversalReceived, type ReversalReceivedData, type Topic, TOPICS } from '@baton/contracts';
import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import type { Message } from 'kafkajs';
import { Client } from 'pg';
import { type Database, on, type Route } from '../ports';
import { openDatabase } from '../postgres/database';
import { writeOutbox } from '../postgres/outbox';
import { createLog } from '../run/log';
import { type TestDatabase, testDatabase } from '../testing';
import { BatchConsumer, type ConsumerOptions } from './consumer';
import { connectKafka, type KafkaConnection } from './kafka';
import { BoundedProducer } from './producer';
import { readTopic, type TopicRecord } from './read-topic';
import { createTopics } from './topics';

export const log = createLog('test', process.env['TEST_LOG'] ?? 'silent');

/** For the integration tests of this folder: topics and a database of their own on the real stores, and consumers that write to it. */
export class Testbed {
  readonly kafka: KafkaConnection;
  readonly producer: BoundedProducer;
  private db!: TestDatabase;
  database!: Database;
  private readonly closing: (() => Promise<unknown>)[] = [];

  constructor(
    private readonly stores: { readonly kafkaBrokers: string[]; readonly postgresAdminUrl: string },
    readonly prefix: string,
  ) {
    this.kafka = this.connect();
    this.producer = new BoundedProducer({ kafka: this.kafka });
  }

  connect(): KafkaConnection {
    // A client of its own, as each process has: kafkajs shares known offsets among the consumers of one client.
    return connectKafka({ brokers: this.stores.kafkaBrokers, clientId: 'test', prefix: this.prefix, log });
  }

  async open(): Promise<void> {
    this.db = await testDatabase('attribution', {
      adminUrl: this.stores.postgresAdminUrl,
      prefix: this.prefix,
      folder: join(__dirname, '../../prisma'),
    });
    const owner = new Client({ connectionString: this.db.owner });
    await owner.connect();
    // `effects` has the natural key; `deeds` counts every committed attempt.
    await owner.query(
      "CREATE TABLE effects (tenant_id uuid NOT NULL, id text NOT NULL, PRIMARY KEY (tenant_id, id)); SELECT baton_protect('effects', '', 'SELECT, INSERT')",
    );
    await owner.query("CREATE TABLE deeds (id text NOT NULL, replica text NOT NULL); SELECT baton_grant('deeds', '', 'SELECT, INSERT')");
    await owner.end();
    this.database = openDatabase({ url: this.db.worker, poolMax: 10, log });
    await createTopics(this.kafka);
  }

  async close(): Promise<void> {
    await this.stopConsumers();
    await this.producer.close();
    await this.database.close();
    await this.db.drop();
  }

  async stopConsumers(): Promise<void> {
    await Promise.all(this.closing.splice(0).map((close) => close()));
  }

  /** A running replica of group `attribution` that reads reversals, unless told otherwise. */
  async consumer(
    options: Partial<ConsumerOptions> & { replica?: string; failing?: Failing } = {},
  ): Promise<BatchConsumer & { dead: string[] }> {
    const { replica = 'a', failing, ...rest } = options;
    const dead: string[] = [];
    const consumer = new BatchConsumer({
      kafka: this.connect(),
      group: 'attribution',
      routes: [this.reversalRoute(replica, failing)],
      database: this.database,
      producer: this.producer,
      writeOutbox,
      log,
      onDead: (reason) => dead.push(reason),
      ...rest,
    });
    await consumer.start();
    let stopped: Promise<void> | undefined;
    const stop = consumer.stop.bind(consumer);
    consumer.stop = () => (stopped ??= stop());
    this.closing.push(() => consumer.stop());
    return Object.assign(consumer, { dead });
  }

  reversalRoute(replica: string, failing: Failing = () => undefined): Route {
    return on(ReversalReceived, async (events, tx) => {
      for (const { data } of events) await failing(data);
      const rows = JSON.stringify(events.map((e) => ({ tenant: e.data.tenantId, id: e.id })).sort((a, b) => (a.id < b.id ? -1 : 1)));
      await tx.$executeRawUnsafe(`INSERT INTO deeds SELECT r->>'id', $2 FROM jsonb_array_elements($1::jsonb) r`, rows, replica);
      await tx.$executeRawUnsafe(
        `INSERT INTO effects SELECT (r->>'tenant')::uuid, r->>'id' FROM jsonb_array_elements($1::jsonb) r ORDER BY 1, 2 ON CONFLICT DO NOTHING`,
        rows,
      );
      return [];
    });
  }

  async put(messages: readonly Message[], topic: Topic = TOPICS.reversals): Promise<void> {
    const producer = this.kafka.client.producer({ allowAutoTopicCreation: false });
    await producer.connect();
    await producer.send({ topic: this.prefix + topic, messages: [...messages] });
    await producer.disconnect();
  }

  effects(ids: readonly string[]): Promise<string[]> {
    return this.database.transaction([ReversalReceived.sample.tenantId], async (tx) =>
      (await tx.$queryRawUnsafe<{ id: string }[]>('SELECT id FROM effects WHERE id = ANY ($1::text[]) ORDER BY id', ids)).map((r) => r.id),
    );
  }

  deeds(ids: readonly string[]): Promise<{ id: string; replica: string }[]> {
    return this.database.untenanted((tx) => tx.$queryRawUnsafe('SELECT id, replica FROM deeds WHERE id = ANY ($1::text[])', ids));
  }

  async records(topic: string): Promise<TopicRecord[]> {
    const records: TopicRecord[] = [];
    await readTopic({ kafka: this.kafka, topic, each: (record) => records.push(record) });
    return records;
  }

  /** What the group has not committed yet, over all partitions. */
  async lag(group = 'attribution', topic: Topic = TOPICS.reversals): Promise<number> {
    const admin = this.kafka.client.admin();
    await admin.connect();
    try {
      const [committed] = await admin.fetchOffsets({ groupId: this.prefix + group, topics: [this.prefix + topic] });
      const ends = await admin.fetchTopicOffsets(this.prefix + topic);
      return ends.reduce(
        (sum, end) =>
          sum + Number(end.high) - Math.max(0, Number(committed?.partitions.find((p) => p.partition === end.partition)?.offset ?? 0)),
        0,
      );
    } finally {
      await admin.disconnect();
    }
  }
}

/** Throws, or does not, before a reversal takes effect. */
export type Failing = (reversal: ReversalReceivedData) => unknown;

export const reversal = (reason = 'item returned'): ReversalReceivedData => ({
  ...ReversalReceived.sample,
  reversalId: randomUUID(),
  externalId: randomUUID(),
  reason,
});

export const messageOf = (data: ReversalReceivedData, partition?: number): Message => {
  const { key, value, headers } = encode(emit(ReversalReceived, data));
  return { key, value, headers, ...(partition === undefined ? {} : { partition }) };
};
