import { emit, ProgramChanged } from '@baton/contracts';
import { serve, type TestDatabase, testDatabase } from '@baton/platform/testing';
import { checkTenancy, eventually, ownPrefix, stores } from '@baton/testing';
import { randomUUID } from 'node:crypto';
import Stripe from 'stripe';
import { type Account, apiKey, type Json, openWorld, type World } from '../ingest.world';

const stripe = new Stripe('sk_test_x');
const SECRET = `whsec_${'a'.repeat(32)}`;
const NEXT = `whsec_${'b'.repeat(32)}`;
const id = (kind: string) => `${kind}_${randomUUID().slice(0, 12).replaceAll('-', '')}`;

describe('the door for Stripe, two replicas', () => {
  const prefix = ownPrefix();
  let db: TestDatabase;
  let world: World;
  let acme: Account;
  let other: Account;
  let path: string;
  const admin: Record<string, string> = {};

  beforeAll(async () => {
    db = await testDatabase('conversion-ingest', { adminUrl: stores().postgresAdminUrl, prefix });
    world = await openWorld({ ...stores(), prefix, db, serve });
    [acme, other] = [await world.account(21), await world.account(22)];
    for (const [name, { tenantId }, test] of [
      ['acme', acme, false],
      ['other', other, false],
      ['test', acme, true],
    ] as const) {
      const key = apiKey(tenantId, { test, scopes: ['catalog:read', 'catalog:write', 'receipts:read'] });
      await world.publish([key.event]);
      admin[name] = key.text;
    }
    for (const key of [...Object.values(admin), acme.key])
      for (const replica of [0, 1]) await eventually(() => world.knows(key, replica), 60_000);
    path = await endpoint('acme');
  }, 120_000);
  afterAll(async () => {
    await world?.close();
    await db?.drop();
  }, 60_000);

  const ask = async (method: string, at: string, as: string, body?: unknown) => {
    const response = await fetch(`${world.replicas[0]?.url}${at}`, {
      method,
      headers: { authorization: `Bearer ${admin[as] ?? as}`, 'content-type': 'application/json' },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    return { status: response.status, json: (await response.json()) as Json };
  };
  const endpoint = async (as: string, secrets = [SECRET]): Promise<string> =>
    (await ask('POST', '/v1/doors/stripe/endpoints', as, { secrets })).json['path'] as string;

  const send = async (
    type: string,
    object: Json,
    more: { before?: Json; live?: boolean; secret?: string; to?: string; replica?: number } = {},
  ) => {
    const { before, live = true, secret = SECRET, to = path, replica = 0 } = more;
    const data = { object, ...(before ? { previous_attributes: before } : {}) };
    const payload = JSON.stringify({ id: id('evt'), object: 'event', type, livemode: live, created: Math.floor(Date.now() / 1000), data });
    const header = stripe.webhooks.generateTestHeaderString({ payload, secret });
    return world.call(to, payload, { replica, headers: { 'stripe-signature': header } });
  };
  const facts = (externalId: string) =>
    world.rows(
      `SELECT kind, data FROM facts WHERE tenant_id = $1 AND external_id = $2 ORDER BY kind, data->>'externalReversalId'`,
      acme.tenantId,
      externalId,
    );
  const invoice = (more: Json = {}): Json => ({
    id: id('in'),
    amount_paid: 5000,
    currency: 'eur',
    customer: id('cus'),
    billing_reason: 'subscription_create',
    ...more,
  });
  const session = (more: Json = {}): Json => ({
    ...{ id: id('cs_live'), mode: 'payment', payment_status: 'paid', amount_total: 5000, currency: 'eur', customer: id('cus') },
    ...{ client_reference_id: acme.click, payment_intent: id('pi'), invoice: null },
    ...more,
  });

  it('takes what Stripe’s own SDK signed, as the tenant’s own', async () => {
    const paid = session();
    const { status, json } = await send('checkout.session.completed', paid);
    expect([status, json['received']]).toEqual([200, true]);
    expect((json['facts'] as Json[]).map(({ kind, verdict }) => [kind, verdict])).toEqual([
      ['identity', 'accepted'],
      ['conversion', 'accepted'],
    ]);
    const [stored] = await facts(paid['payment_intent'] as string);
    expect(stored?.['data']).toMatchObject({
      tenantId: acme.tenantId,
      programId: acme.program,
      clickId: acme.click,
      amountMinor: 5000,
      test: false,
    });
    const again = await send('checkout.session.completed', paid, { replica: 1 });
    expect([again.status, again.headers.get('baton-verdict')]).toEqual([200, 'duplicate']);
  });

  it('answers a wrong signature as Stripe expects, stores nothing and counts it', async () => {
    const counted = async () => {
      const text = await (await fetch(`${world.replicas[0]?.url}/metrics`)).text();
      return Number(/baton_ingest_answered_total\{door="stripe",verdict="rejected",reason="unauthorised"\} (\d+)/.exec(text)?.[1] ?? 0);
    };
    const before = await counted();
    const paid = session();
    for (const more of [{ secret: NEXT }, { to: `/doors/stripe/${randomUUID()}` }, { to: '/doors/stripe/nonsense' }]) {
      const { status, headers, json } = await send('checkout.session.completed', paid, more);
      expect([status, headers.get('baton-reason'), (json['error'] as Json)['code']]).toEqual([400, 'unauthorised', 'unauthorised']);
    }
    expect(await facts(paid['payment_intent'] as string)).toEqual([]);
    expect((await counted()) - before).toBe(3);
  });

  it('makes one conversion of a checkout and its invoice, whichever comes first', async () => {
    for (const order of [
      [0, 1],
      [1, 0],
    ]) {
      const bill = invoice();
      const told: [string, Json][] = [
        [
          'checkout.session.completed',
          session({ mode: 'subscription', invoice: bill['id'], payment_intent: null, customer: bill['customer'] }),
        ],
        ['invoice.paid', bill],
      ];
      const answers = [];
      for (const at of order) answers.push(await send(...(told[at] as [string, Json])));
      const last = (answers[1]?.json['facts'] as Json[]).at(-1);
      expect([answers.map(({ status }) => status), last?.['verdict'], (await facts(bill['id'] as string)).length]).toEqual([
        [200, 200],
        'duplicate',
        1,
      ]);
    }
  });

  it('takes an invoice’s refund back from it, though the refund names the payment alone and the order is any', async () => {
    const orders = [
      ['invoice', 'refund', 'name'],
      ['refund', 'name', 'invoice'],
      ['name', 'invoice', 'refund'],
      ['refund', 'invoice', 'name', 'refund'],
    ];
    for (const [i, order] of orders.entries()) {
      const [bill, payment, charge] = [invoice({ billing_reason: 'subscription_cycle' }), id('pi'), id('ch')];
      const told: Record<string, [string, Json, { before?: Json }]> = {
        invoice: ['invoice.paid', bill, {}],
        refund: [
          'charge.refunded',
          { id: charge, payment_intent: payment, currency: 'eur', amount_refunded: 700 },
          { before: { amount_refunded: 0 } },
        ],
        name: ['invoice_payment.paid', { invoice: bill['id'], payment: { type: 'payment_intent', payment_intent: payment } }, {}],
      };
      for (const what of order) {
        const [type, object, more] = told[what] as [string, Json, { before?: Json }];
        expect((await send(type, object, { ...more, replica: i % 2 })).status).toBe(200);
      }
      const reversals = (await facts(bill['id'] as string)).filter(({ kind }) => kind === 'reversal').map(({ data }) => data as Json);
      expect([order, reversals.map(({ externalReversalId, amountMinor }) => [externalReversalId, amountMinor])]).toEqual([
        order,
        [[`${charge}:700`, 700]],
      ]);
    }
  });

  it('joins a refund and the payment’s invoice that are told at the same moment to two replicas', async () => {
    const pairs = Array.from({ length: 20 }, () => ({ bill: id('in'), payment: id('pi'), charge: id('ch') }));
    await Promise.all(
      pairs.flatMap(({ bill, payment, charge }) => [
        send(
          'charge.refunded',
          { id: charge, payment_intent: payment, currency: 'eur', amount_refunded: 9 },
          { before: { amount_refunded: 0 }, replica: 0 },
        ),
        send('invoice_payment.paid', { invoice: bill, payment: { payment_intent: payment } }, { replica: 1 }),
      ]),
    );
    for (const { bill } of pairs) expect(await facts(bill)).toHaveLength(1);
  });

  it('takes a dispute back at once and lets it be earned again when it is won', async () => {
    const paid = session();
    const dispute = {
      id: id('dp'),
      charge: id('ch'),
      payment_intent: paid['payment_intent'],
      amount: 5000,
      currency: 'eur',
      created: 1_770_000_000,
    };
    await send('checkout.session.completed', paid);
    await send('charge.dispute.closed', { ...dispute, status: 'won' });
    await send('charge.dispute.created', { ...dispute, status: 'needs_response' });
    await send('charge.dispute.closed', { ...dispute, status: 'won' }, { replica: 1 });
    expect((await facts(paid['payment_intent'] as string)).map(({ kind }) => kind)).toEqual(['conversion', 'reversal']);
    const [won, ...more] = await facts(`${dispute.id}:won`);
    expect(more).toEqual([]);
    expect(won?.['data']).toMatchObject({
      orderId: paid['payment_intent'],
      event: 'dispute_won',
      amountMinor: 5000,
      clickId: acme.click,
      customerId: paid['customer'],
    });
  });

  it('takes both secrets while they are rotated, and none once it is switched off', async () => {
    const to = await endpoint('acme');
    const at = `/v1/doors/stripe/endpoints/${to.split('/').at(-1) ?? ''}`;
    const answers = async () => {
      const paid = session();
      return [
        (await send('checkout.session.completed', paid, { to })).status,
        (await send('checkout.session.completed', paid, { to, secret: NEXT })).status,
      ];
    };
    expect(await answers()).toEqual([200, 400]);
    expect((await ask('PUT', at, 'acme', { secrets: [SECRET, NEXT] })).json).toMatchObject({ secrets: ['…aaaa', '…bbbb'], version: 2 });
    expect(await answers()).toEqual([200, 200]);
    expect((await ask('PUT', at, 'other', { state: 'disabled' })).status).toBe(404);
    await ask('PUT', at, 'acme', { secrets: [NEXT] });
    expect(await answers()).toEqual([400, 200]);
    await ask('PUT', at, 'acme', { state: 'disabled' });
    expect(await answers()).toEqual([400, 400]);
  });

  it('keeps test events to test endpoints', async () => {
    const to = await endpoint('test');
    const paid = session();
    expect((await send('checkout.session.completed', paid, { live: false })).json).toMatchObject({
      error: { message: expect.stringMatching(/test API key/) },
    });
    expect((await send('checkout.session.completed', paid, { to })).status).toBe(400);
    expect((await send('checkout.session.completed', paid, { to, live: false })).status).toBe(200);
    expect((await facts(paid['payment_intent'] as string))[0]?.['data']).toMatchObject({ test: true });
  });

  it('answers events that mean nothing here with 200, ignored', async () => {
    const { status, headers } = await send('customer.updated', { id: id('cus') });
    expect([status, headers.get('baton-verdict')]).toEqual([200, 'ignored']);
  });

  it('names everything that is wrong with settings, and takes none of them', async () => {
    const { status, json } = await ask('PUT', '/v1/doors/stripe', 'acme', {
      ...{ refunds: 'never', nonsense: 1, billing_reasons: ['manual', 'x'] },
      keys: { 'not-an-id': {}, [randomUUID()]: { disputes: 7 } },
    });
    expect([status, json['code']]).toEqual([400, 'malformed']);
    expect((json['errors'] as Json[]).map(({ field }) => String(field).replace(/[0-9a-f-]{36}/, '<id>'))).toEqual([
      ...['refunds', 'nonsense', 'billing_reasons[1]', 'keys.not-an-id', 'keys.<id>.disputes'],
    ]);
    for (const [as, at, body, expected] of [
      ['acme', '/v1/doors/none', {}, 404],
      ['acme', '/v1/doors/stripe/endpoints', { secrets: ['sk_live_wrong'] }, 400],
      ['acme', '/v1/doors/stripe/endpoints', { secrets: [SECRET], more: 1 }, 400],
      [acme.key, '/v1/doors/stripe/endpoints', { secrets: [SECRET] }, 403],
    ] as const) {
      const answer = await ask(at.endsWith('endpoints') ? 'POST' : 'PUT', at, as, body);
      expect([at, answer.status, JSON.stringify(answer.json).includes('sk_live_wrong')]).toEqual([at, expected, false]);
    }
  });

  it('keeps settings for each tenant, and shows no secret to anybody', async () => {
    const program = randomUUID();
    await world.publish([emit(ProgramChanged, { ...ProgramChanged.sample, tenantId: other.tenantId, id: program })]);
    const to = await endpoint('other');
    const programOf = async () => {
      const { json } = await send('invoice.paid', invoice(), { to });
      const [fact] = json['facts'] as Json[];
      return (await ask('GET', `/v1/receipts/${String(fact?.['receipt_id'])}`, 'other')).json['program_id'];
    };
    // Two programs: nobody can say which, until a setting does.
    await eventually(async () => (await programOf()) === null, 20_000);
    expect((await ask('PUT', '/v1/doors/stripe', 'other', { program_id: program })).json).toMatchObject({ version: 1 });
    expect(await programOf()).toBe(program);
    const list = await ask('GET', '/v1/doors', 'other');
    const shown = (list.json['doors'] as Json[]).find(({ door }) => door === 'stripe');
    expect(shown).toMatchObject({
      settings: { program_id: program },
      endpoints: [{ path: to, secrets: ['…aaaa'], state: 'active', test: false }],
    });
    const kept = await world.rows("SELECT s::text AS row, encode(secrets, 'escape') AS secrets FROM door_settings AS s");
    for (const text of [JSON.stringify(list.json), JSON.stringify(kept)]) expect(text).not.toContain(SECRET);
    expect(await checkTenancy(db)).toEqual({ tables: expect.arrayContaining(['door_aliases', 'door_settings']), problems: [] });
  });
});
