import { BODY_MAX_BYTES, mintApiKey } from '@baton/platform';
import { serve, type TestDatabase, testDatabase } from '@baton/platform/testing';
import { eventually, ownPrefix, proxyTo, type StoreProxy, stores } from '@baton/testing';
import fc from 'fast-check';
import { deflateSync, gzipSync } from 'node:zlib';
import { type Account, apiKey, type Json, openWorld, order, program, type World } from '../ingest.world';
import {
  ask,
  fill,
  type Golden,
  golden,
  keeps,
  nativeSuccesses,
  prepare,
  routeOf,
  spoken,
  type Wire,
  type Words,
  wordsOf,
} from './wire.world';

const doors = spoken();
const tried = doors.flatMap((fixtures) =>
  fixtures.cases.map((one) => ({
    ...one,
    fixtures,
    door: fixtures.door,
    refusals: fixtures.refusals,
    label: `${fixtures.name}: ${one.name}`,
    mayLookFine: nativeSuccesses(fixtures),
  })),
);
type Tried = (typeof tried)[number];
const typical = tried.filter((one) => one.typical).map((one): [string, Tried] => [one.label, one]);

/** Every door that is there, on two replicas: what its clients send is answered as they expect, and stored as we say. */
describe('on the wire', () => {
  let db: TestDatabase;
  let postgres: StoreProxy;
  let world: World;
  let shared: Account;
  let readOnly: string;
  const accounts = new Map<string, Account>();
  const prepared = new Map<string, Words>();
  /** The words of an account for a door's requests. */
  async function wordsFor({ label, fixtures }: Tried, use = ''): Promise<Words> {
    const name = use === 'shared' ? `shared ${fixtures.name}` : `${use}${label}`;
    const account = use === 'shared' ? shared : (accounts.get(name) as Account);
    const { event, text: admin } = apiKey(account.tenantId, { scopes: ['catalog:read', 'catalog:write'] });
    const url = world.replicas[0]?.url as string;
    if (fixtures.setup && !prepared.has(name)) {
      await world.publish([event]);
      await eventually(async () => (await world.call('/v1/receipts', undefined, { key: admin })).status === 403, 20_000);
    }
    const words = prepared.get(name) ?? (await prepare(url, fixtures, wordsOf(account, { admin })));
    prepared.set(name, words);
    return words;
  }

  beforeAll(async () => {
    const prefix = ownPrefix();
    db = await testDatabase('conversion-ingest', { adminUrl: stores().postgresAdminUrl, prefix });
    postgres = await proxyTo(db.api);
    const worker = new URL(db.worker);
    worker.host = new URL(postgres.url).host;
    world = await openWorld({ ...stores(), prefix, db: { ...db, api: postgres.url, worker: worker.toString() }, serve });
    for (const [i, one] of tried.entries()) {
      const account = await world.account(100 + 2 * i);
      const limited = one.scopes && apiKey(account.tenantId, { scopes: [...one.scopes] });
      if (limited) await world.publish([limited.event]);
      if (one.program) await world.publish([program(account.tenantId, account.program, 2, one.program)]);
      accounts.set(one.label, limited ? { ...account, key: limited.text } : account);
      if (one.typical) accounts.set(`outage ${one.label}`, await world.account(101 + 2 * i));
    }
    shared = await world.account(99);
    const key = apiKey(shared.tenantId, { scopes: ['receipts:read'] });
    readOnly = key.text;
    await world.publish([key.event]);
    for (const replica of [0, 1]) await eventually(() => world.knows(readOnly, replica), 60_000);
    for (const one of tried.filter(({ program }) => program)) {
      const { key } = accounts.get(one.label) as Account;
      const paused = async () => (await world.call('/v1/conversions', order({ validate_only: true }), { key })).json['code'];
      await eventually(async () => (await paused()) === 'program_paused', 20_000);
    }
  }, 240_000);
  afterAll(async () => {
    postgres?.heal();
    await world?.close();
    await postgres?.close();
    await db?.drop();
  }, 60_000);

  const asking = (one: Tried, wire: Wire, words: Words, replica = 0) =>
    ask(world.replicas[replica]?.url as string, wire, words, one.mayLookFine);

  const factsOf = async (tenantId: string) =>
    (await world.rows(
      'SELECT kind, door, external_id AS "externalId", data FROM facts WHERE tenant_id = $1 ORDER BY received_at',
      tenantId,
    )) as (Json & {
      data: Json;
    })[];
  const countOf = async (tenantId: string) =>
    Number((await world.rows(`SELECT count(*) AS n FROM outbox WHERE headers->>'ce_tenant' = $1`, tenantId))[0]?.['n']);

  async function isStored(one: Tried, words: Words): Promise<void> {
    const { tenantId } = accounts.get(one.label) as Account;
    const facts = await factsOf(tenantId);
    const expected = golden(fill(one.facts, words)) as (Json & { data?: Json })[];
    // Absent and null are one.
    const seen = facts.map((fact, i) => ({ ...fact, data: { ...nulls(expected[i]?.data), ...fact.data } }));
    expect(seen).toMatchObject(expected.map((fact) => ({ door: one.door.name, ...fact })));
    expect(seen).toHaveLength(expected.length);
    expect(await countOf(tenantId)).toBe(one.events ?? expected.length);
    const kept = await world.rows(
      `SELECT f::text AS text FROM facts f WHERE tenant_id = $1::uuid UNION ALL SELECT r::text FROM rejections r WHERE tenant_id = $1::uuid
       UNION ALL SELECT o::text FROM outbox o WHERE headers->>'ce_tenant' = $1::text`,
      tenantId,
    );
    for (const text of one.nowhere ?? []) expect(kept.filter((row) => String(row['text']).includes(text))).toEqual([]);
  }
  const nulls = (data: Json = {}): Json => Object.fromEntries(Object.entries(data).filter(([, value]) => value === null));

  it('every route of every door has a typical request', () => {
    const met = typical.map(([, { door, request }]) => routeOf(door, request));
    const missed = doors.flatMap(({ door }) =>
      door.routes.filter((route) => !met.includes(route)).map(({ path }) => `${door.name} ${path}`),
    );
    expect(missed).toEqual([]);
  });

  it.each(tried.map((one): [string, Tried] => [one.label, one]))('%s', async (_, one) => {
    const words = await wordsFor(one);
    for (const wire of one.given ?? []) await asking(one, wire, words);
    const first = await asking(one, one.request, words);
    keeps(first, one.answer, words);
    await isStored(one, words);
    // The same again, from the other replica: the same answer, and nothing more is stored.
    const again = await asking(one, one.request, words, 1);
    const receipt = first.headers.get('baton-receipt');
    if (first.headers.get('baton-verdict') !== 'accepted') return keeps(again, one.answer, words);
    if (one.facts.length === 1) expect(receipt).toBeTruthy();
    const repeated = { 'baton-verdict': 'duplicate', ...(receipt ? { 'baton-receipt': receipt } : {}) };
    keeps(again, { ...one.answer, headers: { ...one.answer.headers, ...repeated } }, words);
    await isStored(one, words);
  });

  describe.each(typical)('%s', (_, one) => {
    const refusal = (code: string): Golden => ({ ...(one.refusals[code] as Golden), headers: { 'baton-reason': code } });
    const limit = (): number => routeOf(one.door, one.request)?.bodyMaxBytes ?? BODY_MAX_BYTES;
    const json = (words: Words): Buffer => Buffer.from(JSON.stringify(fill(one.request.body, words)));
    const isJson = typeof one.request.body === 'object';

    it.each([
      ['no key', () => '', 'unauthorised'],
      ['a key that is none', () => 'secret', 'unauthorised'],
      ['a key that nobody knows', () => mintApiKey(false).text, 'unauthorised'],
      ['a key that may not do this', () => readOnly, 'scope_missing'],
    ])('%s', async (_name, keyOf, code) => {
      if (code === 'scope_missing' && one.request.signed) return;
      const words = { ...(await wordsFor(one, 'shared')), key: keyOf(), secret: 'whsec_of_nobody' };
      keeps(await asking(one, one.request, words), refusal(code), words);
    });

    it('understands any content type, packed or not, and takes it once', async () => {
      if (!isJson) return;
      const words = await wordsFor(one);
      const plain = json(words);
      const { 'content-type': _ignored, ...headers } = one.request.headers ?? {};
      const ways: readonly [Buffer, Record<string, string>][] = [
        [gzipSync(plain), { 'content-encoding': 'gzip', 'content-type': 'application/x-www-form-urlencoded' }],
        [deflateSync(plain), { 'content-encoding': 'deflate', 'content-type': 'application/json' }],
        [plain, { 'content-type': 'text/plain;charset=UTF-8' }],
        [plain, { 'content-type': 'application/vnd.api+json' }],
        [plain, { 'content-type': '' }],
      ];
      // Who signs a body sends it as it is.
      const own = one.request.signed ? ways.filter(([body]) => body === plain) : ways;
      for (const [replica, [body, more]] of own.map((way, i) => [i % 2, way] as const))
        keeps(await asking(one, { ...one.request, body, headers: { ...headers, ...more } }, words, replica), one.answer, words);
      expect(await factsOf((accounts.get(one.label) as Account).tenantId)).toHaveLength(one.facts.length);
    });

    it('says what cannot be read', async () => {
      const words = await wordsFor(one, 'shared');
      const sent = (body: Buffer | string, more: Record<string, string> = {}) =>
        asking(one, { ...one.request, body, headers: { ...one.request.headers, ...more } }, words);
      const packed = { 'content-encoding': 'gzip' };
      if (one.refusals['too_large']) {
        keeps(await sent('x'.repeat(limit() + 1)), refusal('too_large'), words);
        keeps(await sent(gzipSync(Buffer.alloc(limit() + 1, 32)), packed), refusal('too_large'), words);
      }
      if (isJson && one.refusals['malformed'])
        for (const [body, more] of [['{"a":'], ['null'], ['[]'], [''], ['{}', packed]] as [string, Json?][])
          keeps(await sent(body, more as Record<string, string>), refusal('malformed'), words);
      if (one.refusals['unsupported_media_type'])
        keeps(await sent('{}', { 'content-encoding': 'br' }), refusal('unsupported_media_type'), words);
    });

    it('is no 5xx and no false success, whatever the body', async () => {
      if (!isJson) return;
      const words = await wordsFor(one, 'shared');
      const body = fill(one.request.body, words) as Json;
      const value = fc.oneof(fc.jsonValue({ maxDepth: 3, stringUnit: 'binary' }), fc.constant('\ud800'), fc.double());
      const wild = fc.dictionary(fc.oneof(fc.constantFrom(...Object.keys(body)), fc.string({ unit: 'binary' })), value, { maxKeys: 3 });
      await fc.assert(
        fc.asyncProperty(wild, fc.subarray(Object.keys(body)), async (more, left) => {
          const kept = Object.fromEntries(left.map((name) => [name, body[name]]));
          const { status } = await asking(one, { ...one.request, body: JSON.stringify({ ...kept, ...more }) }, words);
          expect(status).toBeLessThan(500);
        }),
        { numRuns: 60 },
      );
    }, 60_000);
  });

  it('says 503 natively while the store is away, with nothing stored, and takes the same again afterwards', async () => {
    // One replica has seen the keys a moment ago, the other never.
    const words = new Map<Tried, Words>();
    for (const [, one] of typical) words.set(one, await wordsFor(one, 'outage '));
    for (const [, one] of typical) await world.knows(words.get(one)?.['key'] as string, 0);
    postgres.cut();
    const sent = (one: Tried, replica: number) => asking(one, one.request, words.get(one) as Words, replica);
    for (const [replica, [, one]] of [0, 1].flatMap((replica) => typical.map((pair) => [replica, pair] as const))) {
      const answer = await sent(one, replica);
      keeps(answer, { ...(one.refusals['unavailable'] as Golden), headers: { 'baton-reason': 'unavailable', 'retry-after': '2' } }, {});
    }
    for (const [, one] of typical) expect(await factsOf((accounts.get(`outage ${one.label}`) as Account).tenantId)).toEqual([]);
    postgres.heal();
    for (const [, one] of typical) {
      await eventually(async () => (await sent(one, 1)).status === one.answer.status, 20_000);
      expect(await factsOf((accounts.get(`outage ${one.label}`) as Account).tenantId)).toHaveLength(one.facts.length);
    }
  }, 90_000);
});
