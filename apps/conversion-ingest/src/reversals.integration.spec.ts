import { AttributionRevised, emit, RewardChanged, TenantChanged } from '@baton/contracts';
import { serve, type TestDatabase, testDatabase } from '@baton/platform/testing';
import { eventually, ownPrefix, stores } from '@baton/testing';
import { randomUUID } from 'node:crypto';
import { type Account, apiKey, type Asking, type Json, openWorld, type World } from './ingest.world';

describe('reversals, two replicas', () => {
  let db: TestDatabase;
  let world: World;
  let acme: Account;
  let capped: Account;
  let testKey: string;
  let replica = 0;

  beforeAll(async () => {
    const prefix = ownPrefix();
    db = await testDatabase('conversion-ingest', { adminUrl: stores().postgresAdminUrl, prefix });
    world = await openWorld({ ...stores(), prefix, db, serve });
    acme = await world.account(11);
    capped = await world.account(12);
    const ofTests = apiKey(acme.tenantId, { test: true });
    testKey = ofTests.text;
    const { tenantId } = capped;
    await world.publish([
      ofTests.event,
      emit(TenantChanged, { ...TenantChanged.sample, tenantId, id: tenantId, reversalCapConversions: 2, reversalCapMinor: 1_000 }),
    ]);
    for (const key of [acme.key, capped.key, testKey]) await eventually(() => world.knows(key), 60_000);
    await eventually(
      async () => (await world.rows(`SELECT 1 FROM catalog_entities WHERE type = 'tenant' AND id = $1`, tenantId)).length === 1,
      20_000,
    );
  }, 120_000);
  afterAll(async () => {
    await world?.close();
    await db?.drop();
  }, 60_000);

  /** Every other request goes to the other replica. */
  const call = (path: string, body: unknown, asking: Asking = {}) =>
    world.call(path, body, { key: acme.key, replica: replica++ % 2, ...asking });
  const reverse = (body: Json, asking: Asking = {}) => call('/v1/reversals', body, asking);
  const convert = (more: Json, asking: Asking = {}) => world.convert({ customer_id: randomUUID(), ...more }, { key: acme.key, ...asking });
  const receipt = async (answer: Json, asking: Asking = {}) =>
    (await call(`/v1/receipts/${answer['receipt_id'] as string}`, undefined, asking)).json;
  /** What was sent of reversals, by external id. */
  const sent = async (...externalIds: string[]) =>
    (
      await world.rows(
        `SELECT value::jsonb AS data FROM outbox WHERE topic LIKE '%reversals%' AND (value::jsonb)->>'externalId' = ANY ($1) ORDER BY (value::jsonb)->>'externalId', id`,
        externalIds,
      )
    ).map(({ data }) => data as Json);
  const idsOf = (name: string, count: number) => Array.from({ length: count }, (_, i) => `${name}-${i}-${randomUUID()}`);

  it('by order take back all its conversions once, with one receipt that lists them, whoever says it again', async () => {
    const orderId = randomUUID();
    const ids = [...idsOf('a', 2), orderId].sort();
    for (const id of ids) await convert({ external_id: id, order_id: id === orderId ? null : orderId });
    const first = await reverse({ order_id: orderId, reason: 'cancelled' });
    expect(first.status).toBe(201);
    expect(first.json).toMatchObject({
      kind: 'reversals',
      selector: { by: 'order_id', value: orderId, event: null },
      took_back: { conversions: 3, amounts: [{ currency: 'EUR', amount_minor: 300 }] },
      already_taken_back: 0,
      stands: true,
    });
    expect((first.json['reversals'] as Json[]).map((one) => one['external_id']).sort()).toEqual(ids);
    expect(await sent(...ids)).toEqual(
      ids.map((externalId) =>
        expect.objectContaining({ externalId, reason: 'cancelled', receiptId: first.json['receipt_id'], test: false }),
      ),
    );
    const again = await reverse({ order_id: orderId, reason: 'cancelled' });
    expect([again.status, again.text, again.headers.get('baton-replayed')]).toEqual([200, first.text, 'true']);
    const plain = await reverse({ external_id: ids[0] });
    expect([plain.status, plain.headers.get('baton-verdict')]).toEqual([200, 'duplicate']);
    const other = await reverse({ order_id: orderId, reversal_id: 'later' });
    expect(other.json).toMatchObject({ took_back: { conversions: 0 }, already_taken_back: 3 });
    expect((await reverse({ order_id: orderId, reason: 'other' })).json['code']).toBe('conflict');
    expect(await sent(...ids)).toHaveLength(3);
    const [one] = first.json['reversals'] as [Json];
    expect(await receipt(one)).toMatchObject({ kind: 'reversal', request_receipt_id: first.json['receipt_id'], progress: { rewards: [] } });
  });

  it('wait for conversions: of an order, of a click and its event, of lines', async () => {
    const [orderId, late, trial, sale, lines] = idsOf('w', 5) as [string, string, string, string, string];
    const byOrder = await reverse({ order_id: orderId });
    const byClick = await reverse({ click_id: acme.click, event: 'trial' });
    const byLines = await reverse({ external_id: lines, line_items: [{ sku: 'a', quantity: 1 }], reversal_id: 'r' });
    for (const answer of [byOrder, byClick, byLines])
      expect(answer.json).toMatchObject({ verdict: 'accepted', took_back: { conversions: 0 }, stands: true });
    await convert({ external_id: late, order_id: orderId }, { replica: 1 });
    await convert({ external_id: trial, click_id: acme.click, event: 'trial' });
    await convert({ external_id: sale, click_id: acme.click }, { replica: 1 });
    await convert({ external_id: lines, amount_minor: 500, line_items: [{ sku: 'a', quantity: 3, amount_minor: 100 }] });
    const all = await sent(late, trial, sale, lines);
    expect(all.map(({ externalId, amountMinor }) => [externalId, amountMinor])).toEqual(
      [
        [late, undefined],
        [trial, undefined],
        [lines, 33],
      ].sort(([a], [b]) => ((a as string) < (b as string) ? -1 : 1)),
    );
    expect(await receipt(byOrder.json)).toEqual({
      ...byOrder.json,
      progress: {
        reversals: [expect.objectContaining({ external_id: late, progress: expect.objectContaining({ rewards: [] }) })],
        stands: true,
        left_out: 0,
      },
    });
    expect(await receipt(byClick.json)).toMatchObject({ progress: { reversals: [{ external_id: trial }] } });
  });

  it('of more than a hundred conversions of one address take back none of them by the address alone', async () => {
    const ids = idsOf('m', 120);
    const email = `${randomUUID()}@example.org`;
    await Promise.all(ids.map((external_id, i) => convert({ external_id, email }, { replica: i % 2 })));
    const facts = async () => (await world.rows('SELECT count(*)::int AS n FROM facts WHERE tenant_id = $1', acme.tenantId))[0]?.['n'];
    const before = await facts();
    const refused = await reverse({ email });
    expect([refused.status, refused.json['code']]).toEqual([422, 'confirm_needed']);
    expect(refused.json).toMatchObject({
      would_take_back: { conversions: 120, partners: 0, amounts: [{ currency: 'EUR', amount_minor: 12_000 }], rewards: [] },
      cap: { conversions: 10, amount_minor: null },
      receipt_id: expect.any(String),
    });
    expect(await receipt(refused.json)).toMatchObject({ verdict: 'rejected', problem: { would_take_back: { conversions: 120 } } });
    const dry = await reverse({ email, dry_run: true });
    expect([dry.status, dry.json['verdict'], dry.json['receipt_id'], dry.json['confirm_needed']]).toEqual([200, 'validated', null, true]);
    expect(dry.json).toMatchObject({ would_take_back: { conversions: 120 } });
    expect([await facts(), await sent(...ids)]).toEqual([before, []]);
    const confirmed = await reverse({ email, confirm: true });
    expect([confirmed.status, (confirmed.json['reversals'] as Json[]).length]).toEqual([201, 120]);
    expect(confirmed.text).not.toContain(email);
    expect(await sent(...ids)).toHaveLength(120);
    const rows = await world.rows(`SELECT 1 FROM facts AS f WHERE f::text ILIKE '%' || $1 || '%'`, email);
    expect(rows).toEqual([]);
  }, 30_000);

  it('above the cap are refused with the numbers, of partners and rewards too, and go with confirm', async () => {
    const asking = { key: capped.key };
    const customer_id = randomUUID();
    const ids = idsOf('c', 3);
    const made = [];
    for (const external_id of ids) made.push((await convert({ external_id, customer_id }, asking)).json['conversion_id'] as string);
    const { tenantId } = capped;
    await world.publish([
      ...made.map((conversionId) => emit(AttributionRevised, { ...AttributionRevised.sample, tenantId, conversionId })),
      ...made.map((conversionId, i) =>
        emit(RewardChanged, {
          ...RewardChanged.sample,
          tenantId,
          conversionId,
          rewardId: randomUUID(),
          amountMinor: 10,
          ...(i === 2 ? { state: 'voided' } : {}),
        }),
      ),
    ]);
    const numbers = {
      conversions: 3,
      partners: 1,
      amounts: [{ currency: 'EUR', amount_minor: 300 }],
      rewards: [{ currency: 'EUR', amount_minor: 20 }],
    };
    await eventually(async () => {
      const dry = await reverse({ customer_id, dry_run: true }, asking);
      expect(dry.json['would_take_back']).toEqual(numbers);
    }, 20_000);
    const refused = await reverse({ customer_id }, asking);
    expect(refused.json).toMatchObject({ code: 'confirm_needed', would_take_back: numbers, cap: { conversions: 2, amount_minor: 1_000 } });
    expect((await reverse({ customer_id, confirm: true }, asking)).json).toMatchObject({ took_back: numbers });
    expect(await sent(...ids)).toHaveLength(3);
    const [dear] = idsOf('d', 1);
    await convert({ external_id: dear, amount_minor: 1_001 }, asking);
    expect((await reverse({ external_id: dear }, asking)).json['code']).toBe('confirm_needed');
    expect((await reverse({ external_id: dear, amount_minor: 1_000, reversal_id: 'r' }, asking)).status).toBe(201);
    expect((await reverse({ external_id: dear, confirm: true }, asking)).status).toBe(201);
  });

  it('by receipt are of that conversion alone, of this tenant and mode', async () => {
    const [id, ofTest] = idsOf('r', 2);
    const { json } = await convert({ external_id: id });
    const byReceipt = { receipt_id: json['receipt_id'] as string };
    expect((await reverse(byReceipt, { key: capped.key })).json['code']).toBe('reversal_unknown');
    expect((await reverse(byReceipt, { key: testKey })).json['code']).toBe('reversal_unknown');
    expect((await reverse({ ...byReceipt, amount_minor: 1, currency: 'USD', reversal_id: 'r' })).json['code']).toBe('currency_mismatch');
    const part = await reverse({ ...byReceipt, amount_minor: 40, reversal_id: 'r' });
    expect(part.json).toMatchObject({ took_back: { amounts: [{ currency: 'EUR', amount_minor: 40 }] }, stands: false });
    expect((await reverse({ external_id: id, amount_minor: 40, currency: 'EUR', reversal_id: 'r' })).status).toBe(200);
    expect((await reverse(byReceipt)).json).toMatchObject({ took_back: { amounts: [{ currency: 'EUR', amount_minor: 60 }] } });
    expect((await sent(id as string)).map(({ amountMinor }) => amountMinor)).toEqual([40, undefined]);
    const order_id = randomUUID();
    await convert({ external_id: ofTest, order_id }, { key: testKey });
    expect((await reverse({ order_id })).json).toMatchObject({ took_back: { conversions: 0 } });
    expect((await reverse({ order_id, reversal_id: 't' }, { key: testKey })).json).toMatchObject({
      took_back: { conversions: 1 },
      test: true,
    });
  });

  it('are tried with validate_only, kept under an Idempotency-Key, and named exactly', async () => {
    const [id] = idsOf('v', 1);
    const order_id = randomUUID();
    await convert({ external_id: id, order_id });
    expect((await reverse({ order_id, validate_only: true })).json).toMatchObject({ verdict: 'validated', receipt_id: null });
    const headers = { 'idempotency-key': randomUUID() };
    expect((await reverse({ order_id }, { headers })).status).toBe(201);
    expect((await reverse({ order_id }, { headers })).status).toBe(200);
    expect((await reverse({ order_id: randomUUID() }, { headers })).json['code']).toBe('idempotency_key_reused');
    expect((await reverse({ order_id, external_id: id })).json['code']).toBe('malformed');
    expect((await reverse({})).json['detail']).toContain('Name exactly one of external_id, receipt_id');
    expect(await sent(id as string)).toHaveLength(1);
  });
});
