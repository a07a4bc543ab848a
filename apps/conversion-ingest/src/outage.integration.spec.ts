import { SCOPES } from '@baton/contracts';
import { createLog, loadEnv, mintApiKey } from '@baton/platform';
import { serve, type TestDatabase, testDatabase } from '@baton/platform/testing';
import { eventually, ownPrefix, proxyTo, type StoreProxy, stores } from '@baton/testing';
import { randomUUID } from 'node:crypto';
import { Client } from 'pg';
import { compose } from './app.module';
import { Env } from './env';

const log = createLog('test', 'silent');
/** Longest that a caller waits for an answer while a store is away. */
const PATIENCE_MS = 9_000;

describe('while a store is away', () => {
  let db: TestDatabase;
  let admin: Client;
  let postgres: StoreProxy;
  let redis: StoreProxy;
  let service: { url: string; stop(): Promise<void> };
  const key = mintApiKey(false);
  const prefix = ownPrefix();

  beforeAll(async () => {
    db = await testDatabase('conversion-ingest', { adminUrl: stores().postgresAdminUrl, prefix });
    admin = new Client({ connectionString: db.adminUrl });
    await admin.connect();
    await admin.query(
      `INSERT INTO api_keys (id, owner, version, state, digest, scopes, test) VALUES ($1, $2, 1, 'active', $3, $4, false)`,
      [randomUUID(), randomUUID(), key.digest, [...SCOPES]],
    );
    postgres = await proxyTo(db.api);
    redis = await proxyTo(stores().redisUrl);
    const worker = new URL(db.worker);
    worker.host = new URL(postgres.url).host;
    const env = loadEnv(Env, {
      // Kafka is away from the start: nobody listens there.
      PORT: '0',
      KAFKA_BROKERS: '127.0.0.1:1',
      TOPIC_PREFIX: prefix,
      DATABASE_URL: worker.toString(),
      DATABASE_API_URL: postgres.url,
      DATABASE_POOL_MAX: '4',
      WAITING_MAX: '40',
      CLICK_ID_KEYS: `1:${'05'.repeat(32)}`,
      EMAIL_HASH_KEY: 'k'.repeat(32),
      REDIS_URL: redis.url,
      REDIS_PREFIX: prefix,
    });
    service = await serve(compose({ service: 'conversion-ingest', env, log, fatal: () => undefined }), log);
  }, 60_000);
  afterAll(async () => {
    postgres.heal();
    redis.heal();
    await service.stop();
    await postgres.close();
    await redis.close();
    await admin.end();
    await db.drop();
  }, 60_000);

  const convert = async (externalId: string) => {
    const started = Date.now();
    const response = await fetch(`${service.url}/v1/conversions`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', authorization: `Bearer ${key.text}` },
      body: JSON.stringify({ external_id: externalId, customer_id: 'c', amount_minor: 1, currency: 'EUR' }),
    });
    const body = (await response.json()) as Record<string, unknown>;
    return { status: response.status, body, retryAfter: response.headers.get('retry-after'), tookMs: Date.now() - started };
  };
  const storedOnce = async (externalId: string) =>
    (await admin.query('SELECT 1 FROM facts WHERE external_id = $1', [externalId])).rowCount === 1;

  it('takes conversions with Kafka away, also from the start, and says that it is ready', async () => {
    expect((await convert('no-kafka')).status).toBe(201);
    expect((await fetch(`${service.url}/readyz`)).status).toBe(200);
    expect((await admin.query('SELECT 1 FROM outbox WHERE published_at IS NULL')).rowCount).toBe(1);
  });

  it.each(['cut', 'silence'] as const)('answers the same with Redis away (%s)', async (how) => {
    redis[how]();
    for (const status of [201, 200, 200, 200, 200]) {
      const { tookMs, ...answer } = await convert(`redis-${how}`);
      expect(answer.status).toBe(status);
      expect(tookMs).toBeLessThan(1_000);
    }
    redis.heal();
  });

  it.each(['cut', 'silence'] as const)(
    'says 503 with Retry-After within seconds while Postgres is away (%s), and takes the same again afterwards, once',
    async (how) => {
      await convert(`before-${how}`);
      postgres[how]();
      const ids = Array.from({ length: 12 }, (_, i) => `pg-${how}-${i}`);
      const answers = await Promise.all(ids.map((id) => convert(id)));
      for (const { status, body, retryAfter, tookMs } of answers) {
        expect([status, body['code'], retryAfter]).toEqual([503, 'unavailable', '2']);
        expect(tookMs).toBeLessThan(PATIENCE_MS);
      }
      expect((await fetch(`${service.url}/readyz`)).status).toBe(503);
      postgres.heal();
      for (const id of ids) {
        await eventually(async () => [200, 201].includes((await convert(id)).status), 20_000);
        expect(await storedOnce(id)).toBe(true);
      }
      expect((await admin.query(`SELECT 1 FROM outbox WHERE value LIKE '%pg-${how}-%'`)).rowCount).toBe(ids.length);
    },
    90_000,
  );

  it('refuses at once what cannot wait, and loses nothing of what it took', async () => {
    const ids = Array.from({ length: 600 }, (_, i) => `burst-${i}`);
    postgres.silence();
    const burst = ids.map((id) => convert(id));
    expect(await Promise.race(burst).then((a) => [a.status, a.body['code']])).toEqual([429, 'over_quota']);
    postgres.heal();
    const answers = await Promise.all(burst);
    expect(answers.filter(({ status }) => ![201, 429, 503].includes(status))).toEqual([]);
    for (const [i, { status }] of answers.entries()) if (status === 201) expect(await storedOnce(ids[i] as string)).toBe(true);
  }, 90_000);
});
