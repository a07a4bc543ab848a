import type { ApiKeyData, Outgoing } from '@baton/contracts';
import { mintApiKey, signatureOf, signingSecretOf } from '@baton/platform';
import { serve, type TestDatabase, testDatabase } from '@baton/platform/testing';
import { eventually, ownPrefix, stores } from '@baton/testing';
import { randomUUID } from 'node:crypto';
import { type Account, apiKey, type Asking, openWorld, order, SIGNING_ROOT, type World } from './ingest.world';

const OFFICE = '203.0.113.7';
const HOUR_S = 3_600;

interface Key {
  readonly id: string;
  readonly text: string;
  /** The next version of the same key, as control-plane would tell it. */
  next(more: Partial<ApiKeyData>): Outgoing;
}

describe('a key', () => {
  let db: TestDatabase;
  let world: World;
  let acme: Account;
  beforeAll(async () => {
    const prefix = ownPrefix();
    db = await testDatabase('conversion-ingest', { adminUrl: stores().postgresAdminUrl, prefix });
    world = await openWorld({ ...stores(), prefix, db, serve });
    acme = await world.account(11);
    await eventually(() => world.knows(acme.key), 60_000);
  }, 120_000);
  afterAll(async () => {
    await world?.close();
    await db?.drop();
  }, 60_000);

  /** A key of the tenant that both replicas know. */
  async function keyOf(more: Partial<ApiKeyData> = {}): Promise<Key> {
    const id = randomUUID();
    const { text, event } = apiKey(acme.tenantId, { id, ...more });
    await world.publish([event]);
    await eventually(async () => (await world.rows('SELECT 1 FROM api_keys WHERE id = $1', id)).length === 1, 20_000);
    return { id, text, next: (changed) => ({ ...event, data: { ...event.data, version: 2, ...changed } as typeof event.data }) };
  }
  const convert = (key: string, asking: Asking = {}, body: unknown = order()) => world.call('/v1/conversions', body, { key, ...asking });
  const current = (key: string, asking: Asking = {}) => world.call('/v1/keys/current', undefined, { key, ...asking });
  const signed = (keyId: string, body: string, { id = randomUUID() as string, ageS = 0 } = {}): Record<string, string> => {
    const timestamp = String(Math.floor(Date.now() / 1000) - ageS);
    const signature = signatureOf(signingSecretOf(SIGNING_ROOT, keyId), id, timestamp, Buffer.from(body));
    return { 'webhook-id': id, 'webhook-timestamp': timestamp, 'webhook-signature': signature };
  };
  const stored = async () =>
    (await world.rows('SELECT (SELECT count(*)::int FROM facts) AS facts, (SELECT count(*)::int FROM outbox) AS outbox'))[0];

  /** Each refusal, at a replica. */
  const refusals: Record<string, (replica: number) => ReturnType<World['call']>> = {
    unauthorised: (replica) => convert(mintApiKey(false).text, { replica }),
    address_not_allowed: async (replica) =>
      convert((await keyOf({ allowedAddresses: ['203.0.113.0/24'] })).text, { replica, headers: { 'x-forwarded-for': '198.51.100.1' } }),
    signature_invalid: async (replica) => convert((await keyOf({ signed: true })).text, { replica }),
    signature_expired: async (replica) => {
      const [key, body] = [await keyOf({ signed: true }), JSON.stringify(order())];
      return convert(key.text, { replica, headers: signed(key.id, body, { ageS: 301 }) }, body);
    },
    scope_missing: async (replica) => convert((await keyOf({ scopes: ['receipts:read'] })).text, { replica }),
    over_quota: async (replica) => {
      const { text } = await keyOf({ rateLimit: { requests: 2, windowSeconds: HOUR_S } });
      await eventually(async () => (await current(text, { replica })).status === 429);
      return convert(text, { replica });
    },
  };
  const STATUS: Record<string, number> = {
    unauthorised: 401,
    address_not_allowed: 403,
    signature_invalid: 401,
    signature_expired: 401,
    scope_missing: 403,
    over_quota: 429,
  };

  it.each(Object.keys(refusals).flatMap((code) => [0, 1].map((replica) => [code, replica] as const)))(
    '%s: says so with its code at replica %i, and stores nothing',
    async (code, replica) => {
      const before = await stored();
      const answer = await (refusals[code] as (replica: number) => ReturnType<World['call']>)(replica);
      expect([answer.status, answer.json['code'], answer.headers.get('baton-reason')]).toEqual([STATUS[code], code, code]);
      expect(answer.json).toMatchObject({ title: expect.any(String), detail: expect.any(String) });
      expect(await stored()).toEqual(before);
    },
  );

  it('is checked in one order: known, address, signature, scope, rate', async () => {
    const key = await keyOf({
      allowedAddresses: [OFFICE],
      signed: true,
      scopes: ['receipts:read'],
      rateLimit: { requests: 1, windowSeconds: HOUR_S },
    });
    const body = JSON.stringify(order());
    const inside = { 'x-forwarded-for': OFFICE };
    const codes: unknown[] = [];
    const tries: [string, Record<string, string>][] = [
      [mintApiKey(false).text, {}],
      [key.text, signed(key.id, body)],
      [key.text, inside],
      [key.text, { ...inside, ...signed(key.id, body) }],
    ];
    for (const [text, headers] of tries) codes.push((await convert(text, { headers }, body)).json['code']);
    expect(codes).toEqual(['unauthorised', 'address_not_allowed', 'signature_invalid', 'scope_missing']);
    // Until here nothing was counted.
    const reading = { headers: { ...inside, ...signed(key.id, '') } };
    expect((await current(key.text, reading)).status).toBe(200);
  });

  it('rotates without a gap: both work, then the old one ends by itself', async () => {
    const [old, young] = [await keyOf(), await keyOf()];
    expect((await convert(old.text)).status).toBe(201);
    const endsAt = Date.now() + 3_000;
    await world.publish([old.next({ expiresAt: new Date(endsAt).toISOString() })]);
    await eventually(
      async () => (await world.rows('SELECT 1 FROM api_keys WHERE id = $1 AND expires_at IS NOT NULL', old.id)).length === 1,
      20_000,
    );
    for (const replica of [0, 1]) {
      let sawBoth = Date.now() >= endsAt;
      await eventually(async () => {
        const [before, { status }, fresh] = [Date.now(), await convert(old.text, { replica }), await convert(young.text, { replica })];
        expect(fresh.status).toBe(201);
        if (status === 201) sawBoth = true;
        else if (before < endsAt - 1_000) throw new Error('refused before its end');
        return status === 401;
      }, 60_000);
      expect(sawBoth).toBe(true);
    }
  }, 90_000);

  it('that was revoked is refused by every replica within 60 s', async () => {
    const key = await keyOf();
    for (const replica of [0, 1]) expect((await convert(key.text, { replica })).status).toBe(201);
    const started = Date.now();
    await world.publish([key.next({ state: 'deleted' })]);
    for (const replica of [0, 1]) await eventually(async () => (await convert(key.text, { replica })).status === 401, 60_000);
    expect(Date.now() - started).toBeLessThan(60_000);
  }, 90_000);

  it('tells what it may do, and at every replica when it was last used at any', async () => {
    const started = Date.now();
    const limited = await keyOf({
      scopes: ['receipts:read'],
      rateLimit: { requests: 100, windowSeconds: 60 },
      allowedAddresses: ['127.0.0.0/8', OFFICE, '2001:db8::/32'],
      test: true,
      programId: acme.program,
    });
    expect((await current(limited.text, { replica: 0 })).json).toEqual({
      id: limited.id,
      scopes: ['receipts:read'],
      test: true,
      program_id: acme.program,
      rate_limit: { requests: 100, window_seconds: 60 },
      allowed_addresses: ['127.0.0.0/8', OFFICE, '2001:db8::/32'],
      signed: false,
      expires_at: null,
      last_used_at: null,
    });
    const at = await eventually(async () => {
      const { json } = await current(limited.text, { replica: 1 });
      return typeof json['last_used_at'] === 'string' && Date.parse(json['last_used_at']);
    }, 30_000);
    expect(at).toBeGreaterThanOrEqual(started);
    expect((await current(acme.key)).json).toMatchObject({ rate_limit: { requests: 2_000, window_seconds: 1 }, allowed_addresses: null });
  }, 60_000);

  it('is told its limit with every answer, and no more passes than replicas could let through apart', async () => {
    const requests = 6;
    const { text } = await keyOf({ rateLimit: { requests, windowSeconds: HOUR_S } });
    let accepted = 0;
    for (let i = 0; i < 4 * requests; i++) {
      const { status, headers } = await convert(text, { replica: i % 2 });
      if (status === 201) accepted++;
      const [left, reset] = [headers.get('ratelimit-remaining'), headers.get('ratelimit-reset')];
      expect(headers.get('ratelimit-policy')).toBe(`"default";q=${requests};w=${HOUR_S}`);
      expect(headers.get('ratelimit')).toBe(`"default";r=${left};t=${reset}`);
      expect(headers.get('ratelimit-limit')).toBe(String(requests));
      expect(Number(left)).toBeLessThan(requests);
      expect(Number(reset)).toBeGreaterThan(0);
      if (status === 429) expect(Number(headers.get('retry-after'))).toBeGreaterThan(0);
    }
    // One limit over both while Redis answers in time, which on a busy machine it may not.
    expect(accepted).toBeGreaterThanOrEqual(requests);
    expect(accepted).toBeLessThanOrEqual(2 * requests);
    const others = [await convert(acme.key, {}, {}), await convert((await keyOf({ scopes: ['receipts:read'] })).text)];
    for (const { headers } of others) expect(headers.get('ratelimit-policy')).toBe('"default";q=2000;w=1');
    expect((await convert('nobody')).headers.get('ratelimit-policy')).toBeNull();
  });

  it('works from its addresses alone, as IPv4, IPv6, or the one in the clothes of the other', async () => {
    const { text } = await keyOf({ allowedAddresses: ['203.0.113.0/24', '2001:db8::/32', '::ffff:192.0.2.0/120'] });
    const from = async (address: string) => (await current(text, { headers: { 'x-forwarded-for': address } })).status;
    for (const address of [OFFICE, '::ffff:203.0.113.7', '2001:db8:1::9', '192.0.2.8', `1.2.3.4, ${OFFICE}`, `${OFFICE}:4711`])
      expect([address, await from(address)]).toEqual([address, 200]);
    // The nearest address that is no proxy of ours counts; what a caller wrote in front of it does not.
    for (const address of ['203.0.114.7', '2001:db9::1', `${OFFICE}, 1.2.3.4`, 'rubbish', ''])
      expect([address, await from(address)]).toEqual([address, 403]);
    expect((await current(text)).json['detail']).toContain('127.0.0.1');
  });

  it('that must be signed for takes what is signed, a repeat as a repeat, and one id for one request', async () => {
    const key = await keyOf({ signed: true });
    const [body, id] = [JSON.stringify(order()), 'msg_1'];
    const send = (text: string, replica: number, headers = signed(key.id, text, { id })) => convert(key.text, { replica, headers }, text);
    expect((await send(body, 0)).status).toBe(201);
    const again = await send(body, 1);
    expect([again.status, again.headers.get('baton-verdict')]).toEqual([200, 'duplicate']);
    const before = await stored();
    const other = await send(JSON.stringify(order()), 1);
    expect([other.status, other.json['code']]).toEqual([409, 'conflict']);
    expect(await stored()).toEqual(before);
    const wrong = signed(randomUUID(), body);
    expect((await send(body, 0, wrong)).json['code']).toBe('signature_invalid');
    expect((await send(`${body} `, 0, signed(key.id, body))).json['code']).toBe('signature_invalid');
  });

  it('is held to its limits at the doors of other dialects too, over the bytes that came', async () => {
    const key = await keyOf({ signed: true, allowedAddresses: [OFFICE], rateLimit: { requests: 2, windowSeconds: HOUR_S } });
    const body = JSON.stringify({ xid: acme.click, customer_key: randomUUID() });
    const inside = { 'x-forwarded-for': OFFICE };
    const tell = async (headers: Record<string, string>, text = body) => {
      const url = `${world.replicas[0]?.url}/conversion/xid`;
      const sent = { authorization: `Bearer ${key.text}`, 'content-type': 'text/plain', ...headers };
      const answer = await fetch(url, { method: 'POST', body: text, headers: sent });
      return [answer.headers.get('baton-reason'), answer.headers.get('ratelimit-limit')];
    };
    expect(await tell(signed(key.id, body))).toEqual(['address_not_allowed', null]);
    expect(await tell({ ...inside, ...signed(key.id, `${body} `) })).toEqual(['signature_invalid', null]);
    expect(await tell({ ...inside, ...signed(key.id, body) })).toEqual(['accepted', '2']);
    const full = async () => (await tell({ ...inside, ...signed(key.id, body) }))[0] === 'over_quota';
    await eventually(full);
  });

  it('that must be signed for gives one id to one of two requests that come at once', async () => {
    const key = await keyOf({ signed: true });
    for (let round = 0; round < 10; round++) {
      const answers = await Promise.all(
        [0, 1, 0, 1].map((replica) => {
          const body = JSON.stringify(order());
          return convert(key.text, { replica, headers: signed(key.id, body, { id: `race-${round}` }) }, body);
        }),
      );
      expect(answers.map(({ status }) => status).sort()).toEqual([201, 409, 409, 409]);
    }
  });
});
