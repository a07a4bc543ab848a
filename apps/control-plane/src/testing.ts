/* eslint-disable no-restricted-imports -- this file is for specs alone */
import { BaseEnv, connectKafka, createLog, loadEnv, plannedTopics, withAdmin } from '@baton/platform';
import { serve, type TestDatabase, testDatabase } from '@baton/platform/testing';
import { ownPrefix, stores } from '@baton/testing';
import { randomBytes } from 'node:crypto';
import { Client } from 'pg';
import { compose } from './app.module';
import { Env } from './env';

// For specs alone: the service as it runs, replicas of it, and a way to call it.

export const ADMIN_KEY = randomBytes(24).toString('hex');
export const SIGNING_ROOT = 'r'.repeat(32);
export const PUBLIC_URL = 'https://go.example';

export interface Answer {
  readonly status: number;
  // What a route answers is what the spec is about, so it is not typed here.
  // eslint-disable-next-line @typescript-eslint/no-explicit-any
  readonly body: any;
}

export type Call = (method: string, path: string, body?: object) => Promise<Answer>;

export interface Harness {
  readonly db: TestDatabase;
  readonly prefix: string;
  readonly urls: readonly string[];
  /** As the operator, for a tenant if one is named; replica 0 unless another is. */
  operator(tenantId?: string, replica?: number): Call;
  withKey(key: string, headers?: Record<string, string>): Call;
  stop(): Promise<void>;
}

/** `brokers` that nobody listens on: Kafka is down for the service, and there for the spec. */
export async function startHarness(replicas = 1, brokers?: string): Promise<Harness> {
  const { postgresAdminUrl, kafkaBrokers } = stores();
  const prefix = ownPrefix();
  const log = createLog('control-plane-test', process.env['TEST_LOG'] ?? 'silent');
  const db = await testDatabase('control-plane', { adminUrl: postgresAdminUrl, prefix });
  const kafka = connectKafka({ brokers: kafkaBrokers, clientId: 'control-plane-test', prefix, log });
  const topics = plannedTopics(prefix).filter(({ topic }) =>
    /(catalog|credentials|conversions|attributions)\.v1(\.dlq\.control-plane)?$/.test(topic),
  );
  await withAdmin(kafka, (admin) =>
    admin.createTopics({ waitForLeaders: true, topics: topics.map(({ topic, partitions }) => ({ topic, numPartitions: partitions })) }),
  );
  const env = loadEnv(Env, {
    PORT: '0',
    KAFKA_BROKERS: brokers ?? kafkaBrokers.join(','),
    TOPIC_PREFIX: prefix,
    DATABASE_URL: db.worker,
    DATABASE_API_URL: db.api,
    ADMIN_KEY,
    PUBLIC_URL,
    POSTBACK_SIGNING_ROOT: SIGNING_ROOT,
  } satisfies Partial<Record<keyof Env | keyof BaseEnv, string>>);
  const fatal = (reason: string): void => {
    throw new Error(reason);
  };
  const services = await Promise.all(
    Array.from({ length: replicas }, async () => serve(await compose({ service: 'control-plane', env, log, fatal }), log)),
  );
  const urls = services.map((s) => s.url);
  const call =
    (replica: number, headers: Record<string, string>): Call =>
    async (method, path, body) => {
      const sent = { ...headers, ...(body ? { 'content-type': 'application/json' } : {}) };
      const answer = await fetch(`${urls[replica]}${path}`, { method, headers: sent, ...(body ? { body: JSON.stringify(body) } : {}) });
      return { status: answer.status, body: await answer.json() };
    };
  return {
    db,
    prefix,
    urls,
    operator: (tenantId, replica = 0) =>
      call(replica, { authorization: `Bearer ${ADMIN_KEY}`, ...(tenantId ? { 'baton-tenant': tenantId } : {}) }),
    withKey: (key, headers = {}) => call(0, { authorization: `Bearer ${key}`, ...headers }),
    stop: async () => {
      for (const service of services) await service.stop();
      await withAdmin(kafka, (admin) => admin.deleteTopics({ topics: topics.map((t) => t.topic) }));
      await db.drop();
    },
  };
}

/** A tenant with a program and a partner. */
export async function furnished(
  harness: Harness,
  name = 'Acme',
): Promise<{ tenantId: string; programId: string; partnerId: string; call: Call }> {
  const tenantId = made(await harness.operator()('POST', '/v1/tenants', { name }));
  const call = harness.operator(tenantId);
  const programId = made(await call('POST', '/v1/programs', { name: 'Spring', destination_hosts: ['shop.example'] }));
  const partnerId = made(await call('POST', '/v1/partners', { name: 'The Garden Blog' }));
  return { tenantId, programId, partnerId, call };
}

function made({ status, body }: Answer): string {
  // Without it a busy store would show much later, as something else.
  if (status !== 201) throw new Error(`not furnished: ${status} ${JSON.stringify(body)}`);
  return body.id as string;
}

/** What was last said to the world about an entity, as text. */
export async function published(harness: Harness, kind: string, id: string): Promise<string> {
  const client = new Client({ connectionString: harness.db.adminUrl });
  await client.connect();
  try {
    const { rows } = await client.query<{ value: string }>(
      `SELECT value FROM outbox WHERE key LIKE '%:' || $1 || ':' || $2 || '%' OR key = $2 ORDER BY id DESC LIMIT 1`,
      [kind, id],
    );
    if (!rows[0]) throw new Error(`nothing was published about ${kind} ${id}`);
    return rows[0].value;
  } finally {
    await client.end();
  }
}
