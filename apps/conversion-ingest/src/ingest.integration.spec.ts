import { ApiKeyChanged, type ApiKeyData, emit, encode, type EntityState, LinkChanged, mintClickId, type Outgoing, parse, ProgramChanged, REASON_CODES, SCOPES, type Topic } from '@baton/contracts';
import { BoundedProducer, connectKafka, createLog, createTopics, loadEnv, mintApiKey } from '@baton/platform';
import { serve, type TestDatabase, testDatabase } from '@baton/platform/testing';
import { checkTenancy, eventually, ownPrefix, stores } from '@baton/testing';
import fc from 'fast-check';
import { Redis } from 'ioredis';
import { randomUUID } from 'node:crypto';
import { Client } from 'pg';
import { compose } from './app.module';
import { conversionIdOf } from './domain';
import { Env } from './env';

const log = createLog('test', 'silent');
const prefix = ownPrefix();
const DAY_MS = 86_400_000;
const clickIdKeys = new Map([[1, Buffer.alloc(32, 5)]]);
type Json = Record<string, unknown>;

interface Account {
  readonly tenantId: string;
  readonly key: string;
  readonly program: string;
  readonly click: string;
}

describe('conversion ingest, two replicas', () => {
  let db: TestDatabase;
  let admin: Client;
  let redis: Redis;
  let replicas: { url: string; stop(): Promise<void> }[];
  const kafka = connectKafka({ brokers: stores().kafkaBrokers, clientId: 'ingest-spec', prefix, log });
  const producer = new BoundedProducer({ kafka });
  const publish = (events: readonly Outgoing[]) => producer.send(events.map((event) => ({ topic: event.contract.topic, ...encode(event) })), 20_000);
  let [acme, other, many]: Account[] = [];

  const program = (tenantId: string, id: string, version = 1, state: EntityState = 'active') => emit(ProgramChanged, { ...ProgramChanged.sample, tenantId, id, version, state });
  const apiKey = (tenantId: string, more: Partial<ApiKeyData> = {}) => {
    const { text, digest } = mintApiKey(more.test ?? false);
    return { text, event: emit(ApiKeyChanged, { ...ApiKeyChanged.sample, tenantId, id: randomUUID(), digest, scopes: [...SCOPES], ...more }) };
  };
  const account = async (linkNumber: number, ...programs: Outgoing[]): Promise<Account> => {
    const tenantId = randomUUID();
    const id = randomUUID();
    const key = apiKey(tenantId);
    const link = emit(LinkChanged, { ...LinkChanged.sample, tenantId, id: randomUUID(), number: linkNumber, programId: id });
    await publish([program(tenantId, id), ...programs.map((p) => ({ ...p, data: { ...p.data, tenantId } })), link, key.event]);
    return { tenantId, key: key.text, program: id, click: mintClickId(clickIdKeys, tenantId, { keyId: 1, linkNumber, occurredAtMs: Date.now(), nonce: 1 }) };
  };
  const call = async (path: string, body: unknown, { key = acme?.key, replica = 0, headers = {} }: { key?: string | undefined; replica?: number; headers?: Record<string, string> } = {}) => {
    const response = await fetch(`${replicas[replica]?.url}${path}`, {
      ...(body === undefined ? {} : { method: 'POST', body: typeof body === 'string' ? body : JSON.stringify(body) }),
      headers: { 'content-type': 'application/json', ...(key ? { authorization: `Bearer ${key}` } : {}), ...headers },
    });
    const text = await response.text();
    return { status: response.status, headers: response.headers, text, json: JSON.parse(text) as Json };
  };
  const order = (more: Json = {}): Json => ({ external_id: `o-${randomUUID()}`, customer_id: 'c1', amount_minor: 100, currency: 'EUR', ...more });
  const convert = (more: Json = {}, options: Parameters<typeof call>[2] = {}) => call('/v1/conversions', order(more), options);
  const rows = async (sql: string, ...values: unknown[]) => (await admin.query<Json>(sql, values)).rows;

  beforeAll(async () => {
    db = await testDatabase('conversion-ingest', { adminUrl: stores().postgresAdminUrl, prefix });
    admin = new Client({ connectionString: db.adminUrl });
    await admin.connect();
    redis = new Redis(stores().redisUrl);
    await createTopics(kafka);
    const env = loadEnv(Env, {
      PORT: '0', KAFKA_BROKERS: stores().kafkaBrokers.join(','), TOPIC_PREFIX: prefix, DATABASE_URL: db.worker, DATABASE_API_URL: db.api, DATABASE_POOL_MAX: '6',
      CLICK_ID_KEYS: `1:${Buffer.alloc(32, 5).toString('hex')}`, EMAIL_HASH_KEY: 'k'.repeat(32), REDIS_URL: stores().redisUrl, REDIS_PREFIX: prefix,
    });
    const fatal = (reason: string) => {
      throw new Error(reason);
    };
    replicas = await Promise.all([1, 2].map(() => serve(compose({ service: 'conversion-ingest', env, log, fatal }), log)));
    acme = await account(11);
    other = await account(12);
    many = await account(13, program(acme.tenantId, '22222222-2222-4222-8222-222222222222', 1, 'disabled'));
    for (const [i, { key }] of [acme, other, many].entries()) await eventually(async () => (await call('/v1/receipts?external_id=none', undefined, { key, replica: i % 2 })).status === 404, 60_000);
    for (const replica of replicas) await eventually(async () => (await fetch(`${replica.url}/readyz`)).status === 200, 60_000);
  }, 120_000);
  afterAll(async () => {
    for (const replica of replicas ?? []) await replica.stop();
    await producer.close();
    await redis?.quit();
    await admin?.end();
    await db?.drop();
  }, 60_000);

  const sixtyFour = async (body: Json) => {
    const answers = await Promise.all(Array.from({ length: 64 }, (_, i) => call('/v1/conversions', body, { replica: i % 2 })));
    return { statuses: answers.map((a) => a.status).sort(), bodies: new Set(answers.map((a) => a.text)), receipts: new Set(answers.map((a) => a.headers.get('baton-receipt'))), verdicts: answers.map((a) => a.headers.get('baton-verdict')).sort() };
  };

  it('takes 64 concurrent requests of one id as one conversion with one receipt', async () => {
    const body = order({ click_id: acme.click, email: ' Jane.Doe@Example.org ' });
    const first = await sixtyFour(body);
    expect(first.statuses).toEqual([...Array.from({ length: 63 }, () => 200), 201]);
    expect(first.verdicts).toEqual(['accepted', ...Array.from({ length: 63 }, () => 'duplicate')]);
    expect([first.bodies.size, first.receipts.size]).toEqual([1, 1]);
    expect(JSON.parse([...first.bodies][0] as string)).toEqual({
      receipt_id: [...first.receipts][0], verdict: 'accepted', reason: 'accepted', kind: 'conversion', conversion_id: conversionIdOf(acme.tenantId, body['external_id'] as string), external_id: body['external_id'],
      program_id: acme.program, received_at: expect.any(String), occurred_at: expect.any(String), dropped_evidence: [], test: false,
    });
    const keys = await redis.keys(`${prefix}*`);
    for (const [what, change] of [['as it is', () => []], ['flushed', () => [redis.del(...keys)]], ['lying', () => keys.map((key) => redis.set(key, 'nonsense'))]] as const) {
      await Promise.all(change());
      const again = await sixtyFour(body);
      expect([what, again.statuses, again.bodies]).toEqual([what, Array.from({ length: 64 }, () => 200), first.bodies]);
    }
    expect(await rows('SELECT 1 FROM facts WHERE external_id = $1', body['external_id'])).toHaveLength(1);
    const [sent, ...more] = await rows(`SELECT topic, key, value, headers FROM outbox WHERE value LIKE '%' || $1 || '%'`, body['external_id']);
    expect(more).toEqual([]);
    const { data } = parse(sent?.['topic'] as Topic, { key: sent?.['key'] as string, value: Buffer.from(sent?.['value'] as string), headers: sent?.['headers'] as Record<string, string> });
    expect(data).toMatchObject({ tenantId: acme.tenantId, programId: acme.program, clickId: acme.click, receiptId: [...first.receipts][0], emailHash: expect.stringMatching(/^[0-9a-f]{64}$/) });
    await eventually(async () => (await rows('SELECT 1 FROM outbox WHERE published_at IS NULL')).length === 0, 20_000);
  });

  it('believes no hint of a conversion that was never received', async () => {
    const body = order();
    await redis.set(`${prefix}ingest:seen:${conversionIdOf(acme.tenantId, body['external_id'] as string)}`, randomUUID());
    expect((await call('/v1/conversions', body)).status).toBe(201);
  });

  it('keeps no raw address anywhere', async () => {
    await convert({ email: 'canary-address@example.org' });
    for (const table of ['facts', 'outbox']) expect(await rows(`SELECT 1 FROM ${table} AS t WHERE t::text ILIKE '%canary-address%'`)).toEqual([]);
  });

  it('stays a duplicate after the program was paused, and refuses what is new', async () => {
    const { tenantId, key, program: id } = await account(14);
    await eventually(async () => (await convert({}, { key })).json['program_id'] === id, 20_000);
    const body = order({ click_id: mintClickId(clickIdKeys, tenantId, { keyId: 1, linkNumber: 14, occurredAtMs: Date.now(), nonce: 2 }) });
    const first = await call('/v1/conversions', body, { key });
    await publish([program(tenantId, id, 2, 'disabled')]);
    await eventually(async () => (await convert({}, { key })).json['code'] === 'program_paused', 20_000);
    const again = await call('/v1/conversions', body, { key, replica: 1 });
    expect([again.status, again.text, again.headers.get('baton-replayed')]).toEqual([200, first.text, 'true']);
  });

  it('takes a click of a link not known yet, without a program where several are possible', async () => {
    const unknown = mintClickId(clickIdKeys, many.tenantId, { keyId: 1, linkNumber: 999, occurredAtMs: Date.now(), nonce: 1 });
    expect((await convert({ click_id: unknown }, { key: many.key })).json).toMatchObject({ verdict: 'accepted', program_id: null });
    expect((await convert({ click_id: many.click }, { key: many.key })).json).toMatchObject({ verdict: 'accepted', program_id: many.program });
  });

  it('keeps tenants apart: ids, receipts, clicks, programs, currencies', async () => {
    const body = order({ external_id: 'shared' });
    const mine = await call('/v1/conversions', body);
    expect((await call(`/v1/receipts/${mine.json['receipt_id'] as string}`, undefined)).text).toBe(mine.text);
    expect((await call(`/v1/receipts/${mine.json['receipt_id'] as string}`, undefined, { key: other.key })).status).toBe(404);
    expect((await call('/v1/receipts?external_id=shared', undefined, { key: other.key })).status).toBe(404);
    expect((await call('/v1/reversals', { external_id: 'shared', currency: 'USD' }, { key: other.key })).status).toBe(201);
    const theirs = await call('/v1/conversions', { ...body, amount_minor: 7 }, { key: other.key });
    expect(theirs.status).toBe(201);
    expect(theirs.json['conversion_id']).not.toBe(mine.json['conversion_id']);
    expect((await convert({ customer_id: null, click_id: acme.click }, { key: other.key })).json['code']).toBe('click_forged');
    expect((await convert({ program_id: acme.program }, { key: other.key })).json['code']).toBe('program_unknown');
    const { receipts } = (await call('/v1/receipts?external_id=shared', undefined)).json as { receipts: Json[] };
    expect(receipts).toEqual([mine.json]);
    expect(await checkTenancy(db)).toEqual({ tables: ['catalog_entities', 'facts'], problems: [] });
  });

  const reversed = () => convert({ external_id: 'reversed' });
  const fixtures: Partial<Record<keyof typeof REASON_CODES, () => ReturnType<typeof call>>> = {
    accepted: () => convert(),
    duplicate: async () => (await call('/v1/reversals', { external_id: 'twice' }), call('/v1/reversals', { external_id: 'twice' }, { replica: 1 })),
    conflict: async () => (await convert({ external_id: 'conflict' }), convert({ external_id: 'conflict', amount_minor: 1 }, { replica: 1 })),
    click_forged: () => convert({ customer_id: null, click_id: acme.click.toLowerCase() }),
    evidence_missing: () => convert({ customer_id: null }),
    program_unknown: () => convert({ program_id: randomUUID() }),
    program_paused: () => convert({ program_id: '22222222-2222-4222-8222-222222222222' }, { key: many.key }),
    currency_unknown: () => convert({ currency: 'eur' }),
    currency_mismatch: async () => (await reversed(), call('/v1/reversals', { external_id: 'reversed', currency: 'USD' })),
    amount_invalid: () => convert({ amount_minor: 1.5 }),
    reversal_id_missing: () => call('/v1/reversals', { external_id: 'reversed', amount_minor: 1 }),
    identifiers_missing: () => call('/v1/identities', { customer_id: 'c' }),
    too_old: () => convert({ occurred_at: new Date(Date.now() - 401 * DAY_MS).toISOString() }),
    in_future: () => convert({ occurred_at: new Date(Date.now() + 600_000).toISOString() }),
    malformed: () => convert({ metadata: { a: 'x\u0000' } }),
    too_large: () => convert({ metadata: { a: 'x'.repeat(70_000) } }),
    unsupported_media_type: () => call('/v1/conversions', 'a=b', { headers: { 'content-type': 'application/x-www-form-urlencoded' } }),
    unauthorised: () => convert({}, { key: mintApiKey(false).text }),
    scope_missing: async () => {
      const { text, event } = apiKey(acme.tenantId, { scopes: ['receipts:read'] });
      await publish([event]);
      await eventually(async () => (await call('/v1/receipts?external_id=none', undefined, { key: text })).status === 404, 20_000);
      return convert({}, { key: text });
    },
    not_found: () => call('/v1/receipts/not-one', undefined),
  };
  // The others are the catalog's, or need a store to be down (see outage.integration.spec.ts).
  const elsewhere = ['operator_only', 'tenant_missing', 'tenant_mismatch', 'slug_taken', 'key_taken', 'destination_refused', 'partner_unknown', 'terms_in_past', 'deleted', 'over_quota', 'unavailable', 'internal'];
  it.each(Object.keys(REASON_CODES).filter((code) => !elsewhere.includes(code)))('answers %s, stores nothing unless it is accepted, and counts it', async (code) => {
    const answer = await (fixtures[code as keyof typeof fixtures] as () => ReturnType<typeof call>)();
    expect([answer.headers.get('baton-reason'), answer.status]).toEqual([code, REASON_CODES[code as keyof typeof REASON_CODES].status]);
    if (answer.status >= 400) expect(answer.json).toMatchObject({ code, status: answer.status, title: expect.any(String), detail: expect.any(String) });
    if (code === 'not_found') return;
    const metrics = await (await fetch(`${replicas[0]?.url}/metrics`)).text();
    expect(metrics).toMatch(new RegExp(`baton_ingest_requests_total\\{[^}]*verdict="(accepted|duplicate|rejected)",reason="${code}"`));
  });

  it('answers arbitrary bodies without a 5xx, and stores exactly what it says it stored', async () => {
    const { tenantId, key } = await account(15);
    await eventually(async () => (await call('/v1/receipts?external_id=none', undefined, { key })).status === 404, 20_000);
    const shapes: Record<string, Json> = {
      '/v1/conversions': order({ click_id: acme.click, email: 'a@b', occurred_at: new Date().toISOString(), quantity: 1, line_items: [{ amount_minor: 1 }], metadata: { a: 'b' }, sub_ids: {} }),
      '/v1/reversals': { external_id: 'x', reversal_id: 'r', amount_minor: 1, currency: 'EUR', reason: 'none', occurred_at: new Date().toISOString() },
      '/v1/identities': { click_id: acme.click, customer_id: 'c', email: 'a@b', visitor_id: 'v' },
    };
    const value = fc.oneof(fc.jsonValue({ maxDepth: 4, stringUnit: 'binary' }), fc.string({ unit: 'binary' }), fc.constant('\ud800'), fc.double());
    const bodies = fc.constantFrom(...Object.keys(shapes)).chain((path) => {
      const fields = Object.keys(shapes[path] as Json);
      return fc.record({
        path: fc.constant(path),
        fields: fc.subarray(fields, { minLength: 3 }),
        id: fc.oneof(fc.uuid(), fc.string({ unit: 'binary', maxLength: 300 })),
        wild: fc.dictionary(fc.oneof(fc.constantFrom(...fields), fc.string({ unit: 'binary' })), value, { maxKeys: 2 }),
      });
    });
    let accepted = 0;
    await fc.assert(
      fc.asyncProperty(bodies, async ({ path, fields, id, wild }) => {
        const body = Object.fromEntries(fields.map((field) => [field, field.endsWith('_id') && field !== 'click_id' ? id : shapes[path]?.[field]]));
        const answer = await call(path, { ...body, ...wild }, { key });
        if (answer.status === 201) accepted++;
        if (answer.status >= 500) throw new Error(answer.text);
      }),
      { numRuns: 500 },
    );
    expect(accepted).toBeGreaterThan(10);
    expect(await rows('SELECT 1 FROM facts WHERE tenant_id = $1', tenantId)).toHaveLength(accepted);
    expect(await rows(`SELECT 1 FROM outbox WHERE headers->>'ce_tenant' = $1`, tenantId)).toHaveLength(accepted);
  }, 60_000);
});
