import { serve, type TestDatabase, testDatabase } from '@baton/platform/testing';
import { eventually, ownPrefix, stores } from '@baton/testing';
import { randomUUID } from 'node:crypto';
import { connect } from 'node:net';
import { type Account, apiKey, type Asking, openWorld, order, type World } from './ingest.world';

/** Changes from request to request, whoever answers. */
const OF_THE_MOMENT = /[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}|\d{4}-\d\d-\d\dT[\d:.]+Z/g;
const PASSING = ['date', 'ratelimit', 'ratelimit-remaining', 'ratelimit-reset'];
/** The framework gives up a connection whose body it could not read; the front has read all of it, and keeps it. */
const OF_THE_CONNECTION = ['connection', 'keep-alive'];
/** A query that says nothing leads past the front. */
const PAST = '?said=nothing';

type Answer = Awaited<ReturnType<World['call']>>;
interface Case {
  readonly path?: string;
  /** Made anew for each of the two. */
  readonly body: () => unknown;
  readonly asking?: Asking;
}

describe('plain requests, which are answered without the framework', () => {
  let db: TestDatabase;
  let world: World;
  let acme: Account;
  let limited: string;
  let readOnly: string;

  beforeAll(async () => {
    const prefix = ownPrefix();
    db = await testDatabase('conversion-ingest', { adminUrl: stores().postgresAdminUrl, prefix });
    world = await openWorld({ ...stores(), prefix, db, serve });
    acme = await world.account(51);
    const keys = [
      apiKey(acme.tenantId, { rateLimit: { requests: 1, windowSeconds: 3_600 } }),
      apiKey(acme.tenantId, { scopes: ['receipts:read'] }),
    ];
    [limited, readOnly] = keys.map(({ text }) => text) as [string, string];
    await world.publish(keys.map(({ event }) => event));
    for (const key of [acme.key, readOnly]) await eventually(() => world.knows(key), 60_000);
  }, 120_000);
  afterAll(async () => {
    await world?.close();
    await db?.drop();
  }, 60_000);

  const shape = ({ status, headers, text }: Answer) => ({
    status,
    headers: [...headers]
      .filter(([name]) => ![...PASSING, ...OF_THE_CONNECTION].includes(name))
      .map(([name, value]) => `${name}: ${value.replace(OF_THE_MOMENT, '*')}`),
    text: text.replace(OF_THE_MOMENT, '*'),
  });
  const fixed = order({ external_id: 'said-before' });
  const cases: Record<string, Case> = {
    accepted: { body: () => order({ external_id: randomUUID() }) },
    'a repeat': { body: () => fixed },
    conflict: { body: () => ({ ...fixed, amount_minor: 7 }) },
    validated: { body: () => order({ external_id: randomUUID(), validate_only: true }) },
    'forged evidence': { body: () => order({ external_id: randomUUID(), click_id: 'x'.repeat(32) }) },
    reversal: { path: '/v1/reversals', body: () => ({ external_id: randomUUID() }) },
    identity: { path: '/v1/identities', body: () => ({ customer_id: 'c', visitor_id: randomUUID() }) },
    verification: { path: '/v1/verifications', body: () => ({ external_id: randomUUID() }) },
    malformed: { body: () => ({ external_id: '', nonsense: 1 }) },
    'not JSON': { body: () => '{"external_id":' },
    'no object': { body: () => '[1]' },
    'too deep': { body: () => `{"a":${'['.repeat(40)}${']'.repeat(40)}}` },
    'too many keys': { body: () => Object.fromEntries(Array.from({ length: 300 }, (_, i) => [`k${i}`, i])) },
    'a forbidden key': { body: () => '{"__proto__":{"a":1}}' },
    'no key': { body: () => order(), asking: { headers: {} } },
    'an unknown key': { body: () => order(), asking: { key: 'bt_live_nobody' } },
    'too few rights': {
      body: () => order(),
      asking: {
        get key() {
          return readOnly;
        },
      },
    },
    'a wrong Idempotency-Key': {
      body: () => order(),
      asking: {
        get key() {
          return acme.key;
        },
        headers: { 'idempotency-key': '"' },
      },
    },
    'an id of its own': {
      body: () => order({ external_id: randomUUID() }),
      asking: {
        get key() {
          return acme.key;
        },
        headers: { 'x-request-id': 'mine' },
      },
    },
    'a body that is too long': { body: () => order({ metadata: { a: 'x'.repeat(70_000) } }) },
    'another type': {
      body: () => 'a=b',
      asking: {
        get key() {
          return acme.key;
        },
        headers: { 'content-type': 'application/x-www-form-urlencoded' },
      },
    },
  };

  it.each(Object.entries(cases))(
    '%s: the same status, headers and body as from the framework',
    async (_name, { path = '/v1/conversions', body, asking }) => {
      const asked = { key: acme.key, ...asking, ...(asking && !('key' in asking) ? { key: undefined } : {}) } as Asking;
      if (body() === fixed) await world.call(path, fixed, asked);
      const [front, framework] = [await world.call(path, body(), asked), await world.call(path + PAST, body(), asked)];
      expect(shape(front)).toEqual(shape(framework));
      expect(front.headers.get('x-request-id')).not.toBeNull();
    },
  );

  it('keeps the limits of keys, and says how they stand', async () => {
    const first = await eventually(async () => {
      const answer = await world.call('/v1/conversions', order(), { key: limited });
      if (answer.status === 401) throw new Error('the key is not known yet');
      return answer;
    }, 20_000);
    const second = await world.call('/v1/conversions', order(), { key: limited });
    expect([first.status, second.status, second.json['code']]).toEqual([201, 429, 'over_quota']);
    expect(second.headers.get('retry-after')).not.toBeNull();
    for (const { headers } of [first, second]) expect(headers.get('ratelimit-policy')).toBe('"default";q=1;w=3600');
  });

  it('answers requests that come in pieces, and several on one connection in their order', async () => {
    const [one, two] = [order({ external_id: 'pieces-1' }), order({ external_id: 'pieces-2' })].map((body) => JSON.stringify(body)) as [
      string,
      string,
    ];
    const head = (body: string) =>
      `POST /v1/conversions HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${acme.key}\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n`;
    const { hostname, port } = new URL(world.replicas[0]?.url as string);
    const socket = connect(Number(port), hostname);
    let heard = '';
    socket.on('data', (bytes) => (heard += bytes.toString()));
    for (const piece of [head(one).slice(0, 60), head(one).slice(60) + one.slice(0, 10), one.slice(10) + head(two) + two]) {
      await new Promise((resolve) => socket.write(piece, resolve));
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    await eventually(() => heard.split('HTTP/1.1 201').length === 3, 10_000);
    expect(heard.indexOf('pieces-1')).toBeLessThan(heard.indexOf('pieces-2'));
    socket.destroy();
  });
});
