import {
  ApiKeyChanged,
  type ApiKeyData,
  emit,
  encode,
  type EntityState,
  LinkChanged,
  mintClickId,
  type Outgoing,
  PartnerChanged,
  ProgramChanged,
  SCOPES,
} from '@baton/contracts';
import { BoundedProducer, type Composition, connectKafka, createLog, createTopics, loadEnv, type Log, mintApiKey } from '@baton/platform';
import { Redis } from 'ioredis';
import { randomUUID } from 'node:crypto';
import { Client } from 'pg';
import { compose } from './app.module';
import { Env } from './env';

/** For the specs: this service as two replicas on real stores, and what the rest of the platform would tell it. */
export interface Ground {
  readonly prefix: string;
  readonly kafkaBrokers: readonly string[];
  readonly redisUrl: string;
  readonly db: { readonly adminUrl: string; readonly api: string; readonly worker: string };
  readonly serve: (composition: Composition, log: Log) => Promise<Replica>;
}

export interface Replica {
  readonly url: string;
  stop(): Promise<void>;
}

export interface Account {
  readonly tenantId: string;
  readonly key: string;
  /** Its link's program. */
  readonly program: string;
  readonly linkNumber: number;
  /** A click on its link. */
  readonly click: string;
}

export type Json = Record<string, unknown>;
export interface Asking {
  readonly key?: string;
  readonly replica?: number;
  readonly headers?: Record<string, string>;
}

export const SIGNING_ROOT = 'r'.repeat(32);
const log = createLog('test', 'silent');
const clickIdKeys = new Map([[1, Buffer.alloc(32, 5)]]);

export const clickOf = (tenantId: string, linkNumber: number, occurredAtMs = Date.now()): string =>
  mintClickId(clickIdKeys, tenantId, { keyId: 1, linkNumber, occurredAtMs, nonce: Math.floor(Math.random() * 2 ** 32) });

export const program = (tenantId: string, id: string, version = 1, state: EntityState = 'active'): Outgoing =>
  emit(ProgramChanged, { ...ProgramChanged.sample, tenantId, id, version, state });

/** A customer who refers, with their link. */
export const customerOf = (
  { tenantId, program: programId }: Account,
  { id, customerId, linkNumber, ...more }: { id: string; customerId: string; linkNumber: number; referredBy?: string; version?: number },
): Outgoing[] => [
  emit(PartnerChanged, { ...PartnerChanged.sample, tenantId, id, kind: 'customer', key: `c-${customerId}`, customerId, ...more }),
  emit(LinkChanged, { ...LinkChanged.sample, tenantId, id, number: linkNumber, slug: `share-${linkNumber}`, programId, partnerId: id }),
];

export function apiKey(tenantId: string, more: Partial<ApiKeyData> = {}): { readonly text: string; readonly event: Outgoing } {
  const { text, digest } = mintApiKey(more.test ?? false);
  return {
    text,
    event: emit(ApiKeyChanged, {
      ...ApiKeyChanged.sample,
      tenantId,
      id: randomUUID(),
      digest,
      scopes: SCOPES.filter((scope) => !scope.startsWith('catalog:')),
      ...more,
    }),
  };
}

export const order = (more: Json = {}): Json => ({
  external_id: `o-${randomUUID()}`,
  customer_id: 'c1',
  amount_minor: 100,
  currency: 'EUR',
  ...more,
});

export type World = Awaited<ReturnType<typeof openWorld>>;

export async function openWorld(ground: Ground) {
  const kafka = connectKafka({ brokers: ground.kafkaBrokers, clientId: 'ingest-spec', prefix: ground.prefix, log });
  await createTopics(kafka);
  const producer = new BoundedProducer({ kafka });
  const redis = new Redis(ground.redisUrl);
  const admin = new Client({ connectionString: ground.db.adminUrl });
  await admin.connect();
  const replicas = await Promise.all(
    [1, 2].map(() => ground.serve(compose({ service: 'conversion-ingest', env: environment(ground), log, fatal }), log)),
  );
  const publish = (events: readonly Outgoing[]): Promise<void> =>
    producer.send(
      events.map((event) => ({ topic: event.contract.topic, ...encode(event) })),
      20_000,
    );
  const call = (path: string, body: unknown, asking: Asking = {}) => ask(`${replicas[asking.replica ?? 0]?.url}${path}`, body, asking);
  return {
    redis,
    replicas,
    publish,
    call,
    convert: (more: Json, asking: Asking) => call('/v1/conversions', order(more), asking),
    rows: async (sql: string, ...values: unknown[]) => (await admin.query<Json>(sql, values)).rows,
    /** A tenant with a program, a link and a key. */
    account: async (linkNumber: number): Promise<Account> => {
      const [tenantId, id] = [randomUUID(), randomUUID()];
      const key = apiKey(tenantId);
      await publish([
        program(tenantId, id),
        emit(LinkChanged, { ...LinkChanged.sample, tenantId, id: randomUUID(), number: linkNumber, programId: id }),
        key.event,
      ]);
      return { tenantId, key: key.text, program: id, linkNumber, click: clickOf(tenantId, linkNumber) };
    },
    knows: async (key: string, replica = 0): Promise<boolean> =>
      (await call('/v1/receipts?external_id=none', undefined, { key, replica })).status === 404,
    close: async (): Promise<void> => {
      for (const replica of replicas) await replica.stop();
      await producer.close();
      await redis.quit();
      await admin.end();
    },
  };
}

async function ask(url: string, body: unknown, { key, headers = {} }: Asking) {
  const response = await fetch(url, {
    ...(body === undefined ? {} : { method: 'POST', body: typeof body === 'string' ? body : JSON.stringify(body) }),
    headers: { 'content-type': 'application/json', ...(key ? { authorization: `Bearer ${key}` } : {}), ...headers },
  });
  const text = await response.text();
  return { status: response.status, headers: response.headers, text, json: JSON.parse(text) as Json };
}

const fatal = (reason: string): never => {
  throw new Error(reason);
};

const environment = ({ prefix, kafkaBrokers, redisUrl, db }: Ground): Env =>
  loadEnv(Env, {
    PORT: '0',
    KAFKA_BROKERS: kafkaBrokers.join(','),
    TOPIC_PREFIX: prefix,
    DATABASE_URL: db.worker,
    DATABASE_API_URL: db.api,
    DATABASE_POOL_MAX: '6',
    CLICK_ID_KEYS: `1:${'05'.repeat(32)}`,
    EMAIL_HASH_KEY: 'k'.repeat(32),
    DOOR_SECRETS_KEY: '07'.repeat(32),
    REDIS_URL: redisUrl,
    REDIS_PREFIX: prefix,
    TRUSTED_PROXIES: '127.0.0.0/8',
    POSTBACK_SIGNING_ROOT: SIGNING_ROOT,
  });
