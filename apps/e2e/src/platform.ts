import { randomUUID } from 'node:crypto';
import { eventually } from '@baton/testing';
import { type IHeaders, Kafka, logLevel } from 'kafkajs';
import { Client } from 'pg';

interface Described {
  readonly urls: Record<string, string>;
  readonly stores: Record<'KAFKA_BROKERS' | 'TOPIC_PREFIX' | 'POSTGRES_ADMIN_URL' | 'DATABASE_PREFIX', string>;
  readonly adminKey: string;
  readonly clickIdKeys: string;
}

/** The running platform, from outside: HTTP and Kafka, and an administrator's look at the ledger. */
export const platform = (): Described => JSON.parse(process.env['E2E_PLATFORM'] ?? '{}') as Described;

export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  // Bodies are what the test says they are: it looks at them from outside.
  // eslint-disable-next-line @typescript-eslint/no-explicit-any
  readonly body: any;
}

export async function call(
  service: string,
  path: string,
  { method = 'GET', body, key, headers = {} }: { method?: string; body?: unknown; key?: string; headers?: Record<string, string> } = {},
): Promise<Answer> {
  const answer = await fetch(`${platform().urls[service]}${path}`, {
    method,
    redirect: 'manual',
    headers: {
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      ...(key ? { authorization: `Bearer ${key}` } : {}),
      ...headers,
    },
    ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
  });
  const text = await answer.text();
  return {
    status: answer.status,
    headers: answer.headers,
    body: /json/.test(answer.headers.get('content-type') ?? '') ? JSON.parse(text) : text,
  };
}

export const admin = async (tenantId: string | undefined, path: string, body?: unknown): Promise<Answer['body']> => {
  const answer = await call('control-plane', path, {
    method: body === undefined ? 'GET' : 'POST',
    body,
    key: platform().adminKey,
    headers: tenantId ? { 'baton-tenant': tenantId } : {},
  });
  if (answer.status >= 300) throw new Error(`${path} answered ${answer.status}: ${JSON.stringify(answer.body)}`);
  return answer.body;
};

export interface Shop {
  readonly tenantId: string;
  readonly programId: string;
  readonly partnerId: string;
  readonly linkId: string;
  readonly slug: string;
  readonly apiKey: string;
}

/** A tenant with a program, a partner, a link, ten percent of each sale and a key; known to every service that needs it. */
export async function openShop(basisPoints = 1_000, holdDays = 30): Promise<Shop> {
  const tenant = await admin(undefined, '/v1/tenants', { name: 'Shop' });
  const program = await admin(tenant.id, '/v1/programs', {
    name: 'Program',
    destination_hosts: ['shop.example'],
    hold_days: holdDays,
    window_days: 30,
  });
  const partner = await admin(tenant.id, '/v1/partners', { name: 'Partner' });
  await admin(tenant.id, '/v1/plans', { program_id: program.id, name: 'Plan', kind: 'percentage', basis_points: basisPoints });
  const link = await admin(tenant.id, '/v1/links', {
    program_id: program.id,
    partner_id: partner.id,
    destination: 'https://shop.example/landing',
  });
  const key = await admin(tenant.id, '/v1/api-keys', {
    name: 'server',
    scopes: ['conversions:write', 'reversals:write', 'identities:write', 'receipts:read', 'rewards:read'],
  });
  await eventually(async () => (await call('click-redirect', '/readyz')).body.catalog_version >= link.catalog_version, 20_000);
  for (const [service, path] of [
    ['conversion-ingest', '/v1/receipts?external_id=none'],
    ['reward-fulfillment', '/v1/balances'],
  ] as const) {
    await eventually(async () => (await call(service, path, { key: key.key })).status !== 401, 20_000);
  }
  return { tenantId: tenant.id, programId: program.id, partnerId: partner.id, linkId: link.id, slug: link.slug, apiKey: key.key };
}

/** Follows the link as a browser; gives the click id. */
export async function click(shop: Shop, query = ''): Promise<string> {
  const answer = await call('click-redirect', `/r/${shop.slug}${query}`, {
    headers: { 'user-agent': 'Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36' },
  });
  const id = new URL(answer.headers.get('location') ?? 'none:').searchParams.get('click_id');
  if (answer.status !== 302 || !id) throw new Error(`no click id in the answer ${answer.status} ${answer.headers.get('location')}`);
  return id;
}

export const convert = (shop: Shop, body: Record<string, unknown>): Promise<Answer> =>
  call('conversion-ingest', '/v1/conversions', {
    method: 'POST',
    key: shop.apiKey,
    body: { external_id: randomUUID(), type: 'sale', amount_minor: 10_000, currency: 'EUR', ...body },
  });
export const reverse = (shop: Shop, body: Record<string, unknown>): Promise<Answer> =>
  call('conversion-ingest', '/v1/reversals', { method: 'POST', key: shop.apiKey, body });

/** Account without the ids in it -> minor units. */
export async function balances(shop: Shop): Promise<Record<string, number>> {
  const { body } = await call('reward-fulfillment', '/v1/balances', { key: shop.apiKey });
  return Object.fromEntries(
    (body.balances as { account: string; amount_minor: number }[])
      .filter((b) => b.amount_minor !== 0)
      .map((b) => [b.account.replace(/:[0-9a-f-]{36}:/, ':'), b.amount_minor]),
  );
}

export async function query<T>(service: string, sql: string): Promise<T[]> {
  const { stores } = platform();
  const url = new URL(stores.POSTGRES_ADMIN_URL);
  url.pathname = `/${stores.DATABASE_PREFIX}${service.replaceAll('-', '_')}`;
  const client = new Client({ connectionString: url.toString() });
  await client.connect();
  try {
    return (await client.query(sql)).rows as T[];
  } finally {
    await client.end();
  }
}

export interface KafkaMessage {
  readonly topic: string;
  readonly key: string | null;
  readonly value: Buffer | null;
  readonly headers: IHeaders;
}

const client = (): Kafka => new Kafka({ brokers: platform().stores.KAFKA_BROKERS.split(','), clientId: 'e2e', logLevel: logLevel.NOTHING });

export async function produce(
  topic: string,
  messages: { key: string | null; value: string | Buffer | null; headers?: IHeaders }[],
): Promise<void> {
  const producer = client().producer({ allowAutoTopicCreation: false });
  await producer.connect();
  await producer.send({ topic: platform().stores.TOPIC_PREFIX + topic, acks: -1, messages });
  await producer.disconnect();
}

/** Everything in topics, from the beginning to where they end now. */
export async function readAll(topics: readonly string[]): Promise<KafkaMessage[]> {
  const prefix = platform().stores.TOPIC_PREFIX;
  const kafka = client();
  const administrator = kafka.admin();
  await administrator.connect();
  const missing = new Map<string, number>();
  for (const topic of topics)
    for (const { partition, high, low } of await administrator.fetchTopicOffsets(prefix + topic))
      if (Number(high) > Number(low)) missing.set(`${prefix}${topic}:${partition}`, Number(high));
  const messages: KafkaMessage[] = [];
  const groupId = `${prefix}e2e-${randomUUID()}`;
  const consumer = kafka.consumer({ groupId, maxWaitTimeInMs: 100 });
  if (missing.size > 0) {
    await consumer.connect();
    await consumer.subscribe({ topics: topics.map((topic) => prefix + topic), fromBeginning: true });
    await new Promise<void>((resolve) => {
      void consumer.run({
        autoCommit: false,
        eachMessage: async ({ topic, partition, message }) => {
          messages.push({
            topic: topic.slice(prefix.length),
            key: message.key?.toString() ?? null,
            value: message.value,
            headers: message.headers ?? {},
          });
          const name = `${topic}:${partition}`;
          if (Number(message.offset) + 1 >= (missing.get(name) ?? 0)) missing.delete(name);
          if (missing.size === 0) resolve();
        },
      });
    });
    await consumer.disconnect();
    await administrator.deleteGroups([groupId]).catch(() => undefined);
  }
  await administrator.disconnect();
  return messages;
}

export async function deadLetters(group: string, topic: string): Promise<KafkaMessage[]> {
  return readAll([`${topic}.dlq.${group}`]);
}
