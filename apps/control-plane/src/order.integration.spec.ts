import { ApiKeyChanged, type Entity, parse, TOPICS, type Topic } from '@baton/contracts';
import { eventually, stores } from '@baton/testing';
import { Kafka, logLevel } from 'kafkajs';
import { Client } from 'pg';
import { furnished, type Harness, startHarness } from './testing';

interface Message {
  readonly type: string;
  readonly key: string;
  readonly data: Entity;
}

/** Everything in a topic so far, as consumers parse it, in its order. */
async function readTopic(prefix: string, topic: Topic, count: number): Promise<Message[]> {
  const kafka = new Kafka({ brokers: stores().kafkaBrokers, clientId: 'spec', logLevel: logLevel.NOTHING });
  const consumer = kafka.consumer({ groupId: `${prefix}spec-${topic}-${count}` });
  const messages: Message[] = [];
  await consumer.connect();
  try {
    await consumer.subscribe({ topic: prefix + topic, fromBeginning: true });
    await consumer.run({
      eachMessage: async ({ message }) => {
        const { contract, key, data } = parse(topic, { key: message.key, value: message.value, headers: message.headers ?? {} });
        messages.push({ type: contract.type, key, data: data as Entity });
      },
    });
    await eventually(() => messages.length >= count, 20_000);
    return messages;
  } finally {
    await consumer.disconnect();
  }
}

jest.setTimeout(60_000);

describe('the catalog’s one order', () => {
  let harness: Harness;
  beforeAll(async () => {
    harness = await startHarness(2);
  });
  afterAll(() => harness.stop());

  const admin = async <T>(work: (client: Client) => Promise<T>): Promise<T> => {
    const client = new Client({ connectionString: harness.db.adminUrl });
    await client.connect();
    try {
      return await work(client);
    } finally {
      await client.end();
    }
  };
  const outboxVersions = () =>
    admin(async (client) =>
      (await client.query<{ version: string }>(`SELECT value::jsonb->>'catalogVersion' AS version FROM outbox ORDER BY id`)).rows.map(
        (row) => Number(row.version),
      ),
    );

  it('holds for 20 concurrent writers on two replicas: versions ascend without a gap in the outbox and in Kafka', async () => {
    const tenants = [await furnished(harness, 'One'), await furnished(harness, 'Two')];
    const before = (await outboxVersions()).length;
    const answers = await Promise.all(
      Array.from({ length: 20 }, async (_, i) => {
        const { tenantId, programId, partnerId } = tenants[i % 2] as (typeof tenants)[0];
        const call = harness.operator(tenantId, i % 2);
        const link = await call('POST', '/v1/links', {
          program_id: programId,
          partner_id: partnerId,
          destination: `https://shop.example/${i}`,
        });
        const off = await call('POST', `/v1/links/${link.body.id}/state`, { state: 'disabled' });
        const partner = await call('POST', '/v1/partners', { name: `Partner ${i}` });
        return [link, off, partner];
      }),
    );
    expect(answers.flat().map((a) => a.status)).toEqual(Array.from({ length: 60 }, () => 201));
    const versions = await outboxVersions();
    expect(versions).toEqual(Array.from({ length: before + 60 }, (_, i) => i + 1));
    expect((await harness.operator()('GET', '/v1/catalog')).body.version).toBe(before + 60);

    const published = await readTopic(harness.prefix, TOPICS.catalog, versions.length);
    const inKafka = published.map((m) => m.data.catalogVersion);
    expect(inKafka).toEqual(versions);
    const answered = answers.flat().map((a) => a.body.catalog_version as number);
    expect(new Set(answered).size).toBe(60);
    for (const { body } of answers.flat()) {
      expect(published[inKafka.indexOf(body.catalog_version as number)]?.data).toMatchObject({
        id: body.id,
        version: body.version,
        state: body.state,
      });
    }
  });

  it('publishes what its contracts say, terms under a key for each version, and keys as digests in the private topic', async () => {
    const { call, programId, partnerId } = await furnished(harness, 'Published');
    await call('POST', `/v1/programs/${programId}/versions`, { hold_days: 3 });
    await call('POST', '/v1/plans', { program_id: programId, name: 'Flat', kind: 'flat', amount_minor: 500, currency: 'EUR' });
    await call('POST', '/v1/links', { program_id: programId, partner_id: partnerId, destination: 'https://shop.example/' });
    const { id, key } = (await call('POST', '/v1/api-keys', { name: 'k', scopes: ['conversions:write'] })).body as {
      id: string;
      key: string;
    };
    await call('POST', `/v1/api-keys/${id}/revoke`);

    const count = await admin(async (client) =>
      Number((await client.query(`SELECT count(*) FROM outbox WHERE topic = '${TOPICS.catalog}'`)).rows[0].count),
    );
    const catalog = await readTopic(harness.prefix, TOPICS.catalog, count);
    expect(new Set(catalog.map((m) => m.type))).toEqual(
      new Set(['catalog.tenant', 'catalog.program', 'catalog.partner', 'catalog.link', 'catalog.plan']),
    );
    expect(catalog.filter((m) => m.data.id === programId).map((m) => m.key.split(':').at(-1))).toEqual(['1', '2']);

    const credentials = await readTopic(harness.prefix, TOPICS.credentials, 2);
    expect(credentials.map(({ key: messageKey, type, data }) => [messageKey, type, data.version, data.state])).toEqual([
      [id, ApiKeyChanged.type, 1, 'active'],
      [id, ApiKeyChanged.type, 2, 'deleted'],
    ]);
    expect(JSON.stringify([catalog, credentials])).not.toContain(key);
  });

  it('gives a customer one share link for a program, though 16 ask for it at once', async () => {
    const { tenantId, programId } = await furnished(harness, 'Referrers');
    const ask = (i: number) => harness.operator(tenantId, i % 2)('POST', '/v1/referrers', { customer_id: 'cust-1', program_id: programId });
    const answers = await Promise.all(Array.from({ length: 16 }, (_, i) => ask(i)));
    expect(answers.map((a) => a.status).sort()).toEqual([...Array.from({ length: 15 }, () => 200), 201]);
    expect(new Set(answers.map((a) => JSON.stringify(a.body))).size).toBe(1);
    expect(answers[0]?.body).toMatchObject({
      partner: { kind: 'customer', customer_id: 'cust-1' },
      link: { destination: 'https://shop.example/' },
    });
    const counts = await admin((client) =>
      client.query(
        `SELECT (SELECT count(*)::int FROM links WHERE tenant_id = $1) AS links, (SELECT count(*)::int FROM partners WHERE tenant_id = $1 AND kind = 'customer') AS customers`,
        [tenantId],
      ),
    );
    expect(counts.rows[0]).toEqual({ links: 1, customers: 1 });

    const second = (await harness.operator(tenantId)('POST', '/v1/programs', { name: 'Second', destination_hosts: ['shop.example'] })).body
      .id as string;
    const elsewhere = await harness.operator(tenantId)('POST', '/v1/referrers', { customer_id: 'cust-1', program_id: second });
    expect(elsewhere).toMatchObject({ status: 201, body: { partner: { id: answers[0]?.body.partner.id } } });
    expect(elsewhere.body.share_url).not.toBe(answers[0]?.body.share_url);
  });

  it('makes one entity of 16 creations under the same id', async () => {
    const { tenantId } = await furnished(harness, 'Same');
    const body = { id: '0a0a0a0a-0a0a-4a0a-8a0a-0a0a0a0a0a0a', name: 'Same' };
    const answers = await Promise.all(
      Array.from({ length: 16 }, (_, i) => harness.operator(tenantId, i % 2)('POST', '/v1/partners', body)),
    );
    expect(answers.map((a) => a.status).sort()).toEqual([...Array.from({ length: 15 }, () => 200), 201]);
    expect(new Set(answers.map((a) => JSON.stringify(a.body))).size).toBe(1);
  });
});

describe('while a store is down', () => {
  it('takes every change without Kafka and keeps it in the outbox, in order', async () => {
    const harness = await startHarness(1, '127.0.0.1:1');
    try {
      const { call } = await furnished(harness, 'Waiting');
      expect((await call('GET', '/readyz')).status).toBe(200);
      const client = new Client({ connectionString: harness.db.adminUrl });
      await client.connect();
      const { rows } = await client.query<{ topic: string; sent: boolean }>(
        'SELECT topic, published_at IS NOT NULL AS sent FROM outbox ORDER BY id',
      );
      await client.end();
      expect(rows).toEqual(Array.from({ length: 3 }, () => ({ topic: TOPICS.catalog, sent: false })));
    } finally {
      await harness.stop();
    }
  });

  it('says 503 without Postgres, and that it is not ready', async () => {
    const harness = await startHarness();
    try {
      await harness.db.drop();
      const refused = await harness.operator()('POST', '/v1/tenants', { name: 'Nobody' });
      expect(refused).toMatchObject({ status: 503, body: { code: 'unavailable' } });
      expect(await harness.operator()('GET', '/readyz')).toMatchObject({
        status: 503,
        body: { ready: false, waiting: { postgres: 'Postgres does not answer' } },
      });
    } finally {
      await harness.stop();
    }
  });
});
