import { serve, type TestDatabase, testDatabase } from '@baton/platform/testing';
import { eventually, ownPrefix, stores } from '@baton/testing';
import { randomUUID } from 'node:crypto';
import { type Account, apiKey, type Asking, type Json, openWorld, order, type World } from './ingest.world';

const PATH = '/v1/conversions/batch';

describe('a batch of conversions, two replicas', () => {
  let db: TestDatabase;
  let world: World;
  let acme: Account;
  let narrow: string;
  let limited: string;
  const send = (conversions: unknown, asking: Asking = {}, more: Json = {}) =>
    world.call(PATH, { conversions, ...more }, { key: acme.key, ...asking });
  const items = (json: Json) => json['items'] as Json[];
  const facts = async () => Number((await world.rows('SELECT count(*)::int AS n FROM facts'))[0]?.['n']);

  beforeAll(async () => {
    const prefix = ownPrefix();
    db = await testDatabase('conversion-ingest', { adminUrl: stores().postgresAdminUrl, prefix });
    world = await openWorld({ ...stores(), prefix, db, serve });
    acme = await world.account(11);
    const key = apiKey(acme.tenantId, { scopes: ['conversions:write', 'receipts:read'] });
    narrow = key.text;
    const few = apiKey(acme.tenantId, { rateLimit: { requests: 50, windowSeconds: 2 } });
    limited = few.text;
    await world.publish([key.event, few.event]);
    for (const known of [acme.key, narrow, limited])
      for (const replica of [0, 1]) await eventually(() => world.knows(known, replica), 60_000);
    await eventually(async () => (await world.convert({ click_id: acme.click }, { key: acme.key })).json['program_id'] !== null, 20_000);
  }, 120_000);
  afterAll(async () => {
    await world?.close();
    await db?.drop();
  }, 60_000);

  it('is answered item by item, in order, and a bad one fails none of its neighbours', async () => {
    const good = order({ click_id: acme.click });
    const { status, headers, json } = await send([good, order({ amount_minor: -1 }), good, { ...good, amount_minor: 7 }, 'x', order()]);
    expect([status, headers.get('baton-verdict'), headers.get('baton-reason')]).toEqual([200, 'mixed', 'mixed']);
    expect(json).toMatchObject({ accepted: 2, duplicate: 1, rejected: 3, validated: 0 });
    expect(items(json).map(({ index, status: own, verdict, reason }) => [index, own, verdict, reason])).toEqual([
      [0, 201, 'accepted', 'accepted'],
      [1, 422, 'rejected', 'amount_invalid'],
      [2, 200, 'duplicate', 'duplicate'],
      [3, 409, 'rejected', 'conflict'],
      [4, 400, 'rejected', 'malformed'],
      [5, 201, 'accepted', 'accepted'],
    ]);
    const [first, bad, again, conflict] = items(json) as [Json, Json, Json, Json];
    expect(first).toMatchObject({ kind: 'conversion', external_id: good['external_id'], program_id: acme.program });
    expect([again['receipt_id'], conflict['receipt_id']]).toEqual([first['receipt_id'], first['receipt_id']]);
    expect(bad).toMatchObject({ code: 'amount_invalid', errors: [{ field: 'amount_minor' }] });
    // Each has a receipt of its own, the same as a single request would have had.
    for (const { receipt_id: receiptId } of [first, bad])
      expect((await world.call(`/v1/receipts/${String(receiptId)}`, undefined, { key: acme.key })).json).toMatchObject({
        receipt_id: receiptId,
      });
    const alone = await world.call('/v1/conversions', good, { key: acme.key, replica: 1 });
    expect([alone.status, alone.json['receipt_id']]).toEqual([200, first['receipt_id']]);
  });

  it('of 500, sent again and to two replicas at once, gets equal receipts', async () => {
    const before = await facts();
    const orders = Array.from({ length: 500 }, (_, i) =>
      order({ customer_id: `c${i}`, metadata: { a: '1', b: '2' }, line_items: [{ sku: 's', amount_minor: 100 }] }),
    );
    const [left, right] = await Promise.all([0, 1].map((replica) => send(orders, { replica })));
    const again = await send(orders);
    const receipts = [left, right, again].map((answer) => items(answer!.json).map(({ receipt_id: id }) => id));
    expect(receipts[0]).toHaveLength(500);
    expect([receipts[1], receipts[2]]).toEqual([receipts[0], receipts[0]]);
    expect([Number(left!.json['accepted']) + Number(right!.json['accepted']), again.json['duplicate']]).toEqual([500, 500]);
    expect([again.headers.get('baton-verdict'), again.headers.get('baton-replayed')]).toEqual(['duplicate', 'true']);
    expect(await facts()).toBe(before + 500);
  });

  it('may hold reversals and identities, as far as the key may send them', async () => {
    const sale = order();
    const mixed = [
      { ...sale, kind: 'conversion' },
      { kind: 'reversal', external_id: sale['external_id'], currency: 'USD' },
      { kind: 'identity', customer_id: `c-${randomUUID()}`, email: 'a@b.example' },
      { kind: 'refund' },
    ];
    expect(items((await send(mixed, { key: narrow })).json).map(({ reason }) => reason)).toEqual([
      'accepted',
      'scope_missing',
      'scope_missing',
      'malformed',
    ]);
    // The reversal is judged behind its conversion, though both come at once.
    const told = items((await send(mixed)).json);
    expect(told.map(({ reason }) => reason)).toEqual(['duplicate', 'currency_mismatch', 'accepted', 'malformed']);
    expect(told[2]).toMatchObject({ kind: 'identity' });
  });

  it('lends each item its Idempotency-Key', async () => {
    const headers = { 'idempotency-key': `"${randomUUID()}"` };
    const [a, b] = [order(), order()];
    expect((await send([a, b], { headers })).json).toMatchObject({ accepted: 2 });
    expect((await send([a, b], { headers, replica: 1 })).json).toMatchObject({ duplicate: 2 });
    expect(items((await send([b, order()], { headers })).json).map(({ reason }) => reason)).toEqual([
      'idempotency_key_reused',
      'idempotency_key_reused',
    ]);
    expect((await send([a], { headers: { 'idempotency-key': '"' } })).json).toMatchObject({ code: 'idempotency_key_invalid' });
  });

  it('stores nothing in a dry run, neither facts nor refusals', async () => {
    const counted = async () => [await facts(), (await world.rows('SELECT count(*)::int AS n FROM rejections'))[0]];
    const before = await counted();
    const batch = [order(), order({ currency: 'EURO' }), 'x'];
    const asked = [
      await send(batch, {}, { validate_only: true }),
      await world.call(`${PATH}?validate_only=true`, { conversions: batch }, { key: acme.key }),
    ];
    for (const { json } of asked) {
      expect(json).toMatchObject({ validated: 1, rejected: 2, accepted: 0 });
      expect(items(json).map(({ status, reason, receipt_id: id }) => [status, reason, id])).toEqual([
        [200, 'validated', null],
        [422, 'currency_unknown', null],
        [400, 'malformed', null],
      ]);
    }
    expect(await counted()).toEqual(before);
  });

  it.each([
    ['no list', { conversions: {} }, 400, 'malformed'],
    ['nothing in it', { conversions: [] }, 400, 'malformed'],
    ['a field that is none', { conversions: [{}], program_id: 'x' }, 400, 'malformed'],
    ['501 items', { conversions: Array.from({ length: 501 }, () => order()) }, 413, 'too_large'],
    ['over 500 kB', { conversions: [order({ metadata: { a: 'x'.repeat(512_000) } })] }, 413, 'too_large'],
    [
      'more keys than such a body needs',
      { conversions: [Object.fromEntries(Array.from({ length: 17_000 }, (_, i) => [i, 1]))] },
      413,
      'too_large',
    ],
  ])('is refused as a whole, and stores nothing: %s', async (_what, body, status, code) => {
    const before = await facts();
    const answer = await world.call(PATH, body, { key: acme.key });
    expect([answer.status, answer.json['code'], answer.headers.get('baton-reason')]).toEqual([status, code, code]);
    expect(await facts()).toBe(before);
  });

  it('counts item by item towards its key’s limit, and is refused whole', async () => {
    const before = await facts();
    const answer = await send(
      Array.from({ length: 51 }, () => order()),
      { key: limited },
    );
    expect([answer.status, answer.json['code'], answer.headers.get('ratelimit-limit')]).toEqual([429, 'over_quota', '50']);
    expect(await facts()).toBe(before);
    expect(
      (
        await send(
          Array.from({ length: 50 }, () => order()),
          { key: limited },
        )
      ).json,
    ).toMatchObject({ accepted: 50 });
    // A file has no length that could be refused: it is read no faster than its key may send.
    const file = Array.from({ length: 120 }, () => JSON.stringify(order())).join('\n');
    const upload = () =>
      fetch(`${world.replicas[1]?.url}/v1/conversions:bulk?verdicts=rejected`, {
        method: 'POST',
        headers: { authorization: `Bearer ${limited}`, 'content-type': 'application/x-ndjson' },
        body: file,
      });
    // The upload itself is a request, and the batch has taken all that there was: it may be told to come again.
    const told = await eventually(async () => {
      const answer = await upload();
      expect(answer.status).toBe(200);
      return answer;
    }, 20_000);
    expect((await told.text()).trim().split('\n').at(-1)).toBe(
      '{"done":true,"rows":120,"accepted":120,"duplicate":0,"rejected":0,"validated":0}',
    );
  });

  it('is counted fact by fact', async () => {
    const count = async (name: string): Promise<number> => {
      const text = await (await fetch(`${world.replicas[0]?.url}/metrics`)).text();
      const lines = text.split('\n').filter((line) => line.startsWith(`${name}{`));
      return lines.reduce((sum, line) => sum + Number(line.split(' ').at(-1)), 0);
    };
    const before = await count('baton_ingest_received_total');
    await send([order(), order({ currency: 'x' }), order()]);
    await eventually(async () => (await count('baton_ingest_received_total')) === before + 3);
    await eventually(async () => (await count('baton_ingest_answered_total')) === (await count('baton_ingest_received_total')));
  });
});
