import fc from 'fast-check';
import Stripe from 'stripe';
import type { Posted } from '../posted';
import type { DoorRequest, DoorSettings } from './door';
import { door } from './stripe.door';

const SECRET = 'whsec_abcdefghijklmnopqrstuvwxyz012345';
const CLICK = 'EQAAAAABAZwT7J4AAAAAAXz1bjrKrKhK';
const NOW_S = 1_770_000_000;
const stripe = new Stripe('sk_test_x');
const [route] = door.routes as [(typeof door.routes)[number]];

type Fields = Record<string, unknown>;
const event = (type: string, object: Fields, more: Fields = {}): Fields => ({
  id: 'evt_1',
  object: 'event',
  type,
  created: NOW_S,
  livemode: true,
  ...more,
  data: { object, ...(more['before'] ? { previous_attributes: more['before'] } : {}) },
});

function request(body: unknown, header?: string): DoorRequest {
  const raw = Buffer.from(JSON.stringify(body));
  const headers = header === undefined ? {} : { 'stripe-signature': header };
  const more = { method: 'POST', path: '/doors/stripe/x', params: {}, query: new URLSearchParams(), receivedAtMs: NOW_S * 1000 };
  return { ...more, headers, raw, json: () => body as Fields, form: () => new URLSearchParams() };
}

const read = (type: string, object: Fields, settings: DoorSettings = {}, more: Fields = {}): readonly Posted[] =>
  route.read(request(event(type, object, more)), settings, { test: false, landingParams: ['ref_click'] });
const joins = (type: string, object: Fields, settings: DoorSettings = {}) =>
  (route.joins as NonNullable<typeof route.joins>)(request(event(type, object)), settings);
const body = (posted: Posted | undefined): Fields => posted?.body as Fields;

const SESSION = {
  ...{ id: 'cs_1', mode: 'payment', payment_status: 'paid', amount_total: 4999, currency: 'eur', customer: 'cus_1' },
  ...{ payment_intent: 'pi_1', invoice: null, client_reference_id: CLICK, customer_details: { email: 'jane@example.org' }, metadata: {} },
};
const INVOICE = {
  ...{
    id: 'in_1',
    amount_paid: 4999,
    currency: 'eur',
    customer: 'cus_1',
    customer_email: 'jane@example.org',
    billing_reason: 'subscription_cycle',
  },
  ...{ status_transitions: { paid_at: NOW_S - 5 }, parent: { subscription_details: { subscription: 'sub_1', metadata: {} } } },
};

describe('the signature of an event of Stripe’s', () => {
  const isSigned = (payload: unknown, header: string, secrets: readonly string[]): boolean =>
    (route.isSigned as NonNullable<typeof route.isSigned>)(request(payload, header), secrets);
  const header = (payload: unknown, secret = SECRET, timestamp = NOW_S): string =>
    stripe.webhooks.generateTestHeaderString({ payload: JSON.stringify(payload), secret, timestamp });

  it('is believed as the official SDK makes it, under any of the secrets', () => {
    expect(isSigned({ a: 1 }, header({ a: 1 }), [SECRET])).toBe(true);
    expect(isSigned({ a: 1 }, header({ a: 1 }), ['whsec_anotherone1234567', SECRET])).toBe(true);
    const [t, first] = header({ a: 1 }, 'whsec_old_000000000000').split(',');
    expect(isSigned({ a: 1 }, `${t},${first},v0=00,${header({ a: 1 }).split(',')[1]}`, [SECRET])).toBe(true);
  });

  it('is not believed of another body, secret, time, shape, or without any', () => {
    expect(isSigned({ a: 2 }, header({ a: 1 }), [SECRET])).toBe(false);
    expect(isSigned({ a: 1 }, header({ a: 1 }, 'whsec_anotherone1234567'), [SECRET])).toBe(false);
    expect(isSigned({ a: 1 }, header({ a: 1 }, SECRET, NOW_S - 301), [SECRET])).toBe(false);
    expect(isSigned({ a: 1 }, header({ a: 1 }, SECRET, NOW_S - 299), [SECRET])).toBe(true);
    expect(isSigned({ a: 1 }, header({ a: 1 }).replace('v1=', 'v0='), [SECRET])).toBe(false);
    expect(isSigned({ a: 1 }, header({ a: 1 }).replace(`t=${NOW_S}`, `t=${NOW_S + 1}`), [SECRET])).toBe(false);
    for (const nonsense of ['', 't=,v1=', 'v1', `t=${NOW_S},v1=zz`, `t=${NOW_S},v1=${'0'.repeat(63)}`])
      expect(isSigned({ a: 1 }, nonsense, [SECRET])).toBe(false);
    expect(isSigned({ a: 1 }, header({ a: 1 }), [])).toBe(false);
  });

  it('is believed whatever the bytes of the body', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (payload) => isSigned(payload, header(payload), [SECRET])),
      { numRuns: 50 },
    );
  });
});

describe('checkouts and invoices', () => {
  it('are a sale, and say who the customer is', () => {
    const [identity, sale] = read('checkout.session.completed', SESSION);
    expect(identity).toEqual({
      kind: 'identity',
      body: { click_id: CLICK, customer_id: 'cus_1', email: 'jane@example.org', occurred_at: '2026-02-02T02:40:00.000Z' },
    });
    expect(body(sale)).toMatchObject({
      external_id: 'pi_1',
      type: 'sale',
      amount_minor: 4999,
      currency: 'EUR',
      click_id: CLICK,
      customer_id: 'cus_1',
    });
  });

  it('have one id and the same money, whichever of the two tells of a first payment', () => {
    const session = { ...SESSION, mode: 'subscription', invoice: 'in_1', payment_intent: null, subscription: 'sub_1' };
    const [, sale] = read('checkout.session.completed', session);
    const [paid] = read('invoice.paid', { ...INVOICE, billing_reason: 'subscription_create' });
    for (const one of [sale, paid])
      expect(body(one)).toMatchObject({ external_id: 'in_1', amount_minor: 4999, currency: 'EUR', type: 'sale' });
  });

  it('are subscription payments when the subscription goes on, old and new shapes alike', () => {
    for (const shape of [INVOICE, { ...INVOICE, parent: undefined, subscription: 'sub_1', subscription_details: { metadata: {} } }])
      expect(body(read('invoice.paid', shape)[0])).toMatchObject({
        ...{ external_id: 'in_1', type: 'subscription_payment', customer_id: 'cus_1', occurred_at: '2026-02-02T02:39:55.000Z' },
        metadata: { subscription: 'sub_1' },
      });
  });

  it('earn nothing while nothing was paid, but say who the customer is', () => {
    expect(read('invoice.paid', { ...INVOICE, amount_paid: 0 })).toEqual([]);
    for (const more of [{ payment_status: 'unpaid' }, { payment_status: 'no_payment_required', amount_total: 0 }])
      expect(read('checkout.session.completed', { ...SESSION, ...more }).map(({ kind }) => kind)).toEqual(['identity']);
    expect(read('checkout.session.async_payment_succeeded', SESSION).map(({ kind }) => kind)).toEqual(['identity', 'conversion']);
  });

  it('find the click id in the metadata, under the program’s own parameter too; a reference of another shape is none', () => {
    const clickOf = (session: Fields, settings: DoorSettings = {}) =>
      body(read('checkout.session.completed', { ...SESSION, ...session }, settings)[1])['click_id'];
    expect(clickOf({ client_reference_id: 'user-17' })).toBeNull();
    expect(clickOf({ client_reference_id: 'user-17', metadata: { ref_click: CLICK } })).toBe(CLICK);
    expect(clickOf({ client_reference_id: null, metadata: { mine: CLICK } }, { click_metadata: ['mine'] })).toBe(CLICK);
    expect(
      body(read('invoice.paid', { ...INVOICE, parent: { subscription_details: { metadata: { click_id: CLICK } } } })[0])['click_id'],
    ).toBe(CLICK);
  });

  it('count in ISO’s minor units where Stripe has units of its own', () => {
    const minor = (currency: string, amount: number) =>
      body(read('invoice.paid', { ...INVOICE, currency, amount_paid: amount })[0])['amount_minor'];
    expect([minor('jpy', 500), minor('isk', 50_000), minor('ugx', 500), minor('mga', 500), minor('kwd', 5000)]).toEqual([
      500, 500, 5, 50_000, 5000,
    ]);
  });

  it('of a test mode need a test endpoint', () => {
    expect(() => read('invoice.paid', INVOICE, {}, { livemode: false })).toThrow(/test API key/);
    expect(() => route.read(request(event('invoice.paid', INVOICE)), {}, { test: true, landingParams: [] })).toThrow(/live API key/);
  });

  it('and nothing else are facts', () => {
    for (const type of ['customer.created', 'payment_intent.succeeded', 'toString', 'invoice.created'])
      expect(read(type, INVOICE)).toEqual([]);
  });
});

describe('refunds', () => {
  const charge = { id: 'ch_1', payment_intent: 'pi_1', currency: 'eur', captured: true, amount: 10_000 };
  const step = (from: number, to: number) =>
    read('charge.refunded', { ...charge, amount_refunded: to }, {}, { before: { amount_refunded: from } });

  it('take back the same sum in any order, however often they are sent', () => {
    const steps = fc.array(fc.integer({ min: 1, max: 500 }), { minLength: 1, maxLength: 8 });
    fc.assert(
      fc.property(steps, fc.infiniteStream(fc.nat()), (amounts, dice) => {
        const ends = amounts.map((_, i) => amounts.slice(0, i + 1).reduce((sum, one) => sum + one, 0));
        const events = ends.flatMap((to, i) => step(ends[i - 1] ?? 0, to));
        const sent = [...events, ...events].map((one) => ({ one, at: dice.next().value as number })).sort((a, b) => a.at - b.at);
        const kept = new Map(sent.map(({ one }) => [body(one)['reversal_id'], body(one)['amount_minor'] as number]));
        return [...kept.values()].reduce((sum, one) => sum + one, 0) === ends.at(-1);
      }),
    );
  });

  it('name the payment, or the invoice where the charge knows it', () => {
    expect(body(step(0, 400)[0])).toMatchObject({ external_id: 'pi_1', reversal_id: 'ch_1:400', amount_minor: 400, currency: 'EUR' });
    const [ofInvoice] = read(
      'charge.refunded',
      { ...charge, invoice: 'in_1', amount_refunded: 400 },
      {},
      { before: { amount_refunded: 0 } },
    );
    expect(body(ofInvoice)['external_id']).toBe('in_1');
  });

  it('take back all where the charge is refunded and the step is not told; else they say what is missing', () => {
    expect(body(read('charge.refunded', { ...charge, refunded: true, amount_refunded: 10_000 })[0])).not.toHaveProperty('amount_minor');
    expect(() => read('charge.refunded', { ...charge, refunded: false, amount_refunded: 10 })).toThrow(/previous_attributes/);
  });

  it('are told once: by the charge, or one by one where the settings say so', () => {
    const one = { id: 're_1', charge: 'ch_1', payment_intent: 'pi_1', amount: 400, currency: 'eur', status: 'succeeded', created: NOW_S };
    expect(read('refund.created', one)).toEqual([]);
    expect(body(read('refund.updated', one, { refunds: 'refund' })[0])).toMatchObject({
      external_id: 'pi_1',
      reversal_id: 're_1',
      amount_minor: 400,
    });
    expect(read('refund.created', { ...one, status: 'pending' }, { refunds: 'refund' })).toEqual([]);
    expect(read('charge.refunded', { ...charge, refunded: true }, { refunds: 'refund' })).toEqual([]);
  });
});

describe('disputes', () => {
  const dispute = {
    id: 'dp_1',
    charge: 'ch_1',
    payment_intent: 'pi_1',
    amount: 4999,
    currency: 'eur',
    created: NOW_S,
    status: 'needs_response',
  };
  const closed = (status: string, settings: DoorSettings = {}) => ({
    facts: read('charge.dispute.closed', { ...dispute, status }, settings),
    again: joins('charge.dispute.closed', { ...dispute, status }, settings).again,
  });

  it('take back what they are about, once', () => {
    const [opened] = read('charge.dispute.created', dispute);
    expect(body(opened)).toMatchObject({ external_id: 'pi_1', reversal_id: 'dp_1', amount_minor: 4999, reason: 'dispute' });
    for (const again of [closed('lost').facts[0], closed('won').facts[0], read('charge.dispute.funds_withdrawn', dispute)[0]])
      expect(again).toEqual(opened);
  });

  it('earn again what they took when they are won, and only then', () => {
    expect(closed('won').again).toEqual([{ of: 'pi_1', externalId: 'dp_1:won', event: 'dispute_won', amountMinor: 4999, currency: 'EUR' }]);
    expect(closed('lost').again).toEqual([]);
  });

  it('take nothing as inquiries, and only when lost where the settings say so', () => {
    expect(read('charge.dispute.created', { ...dispute, status: 'warning_needs_response' })).toEqual([]);
    expect(read('charge.dispute.created', dispute, { disputes: 'lost' })).toEqual([]);
    expect(closed('won', { disputes: 'lost' })).toEqual({ facts: [], again: [] });
    expect(closed('lost', { disputes: 'lost' }).facts).toHaveLength(1);
  });
});

describe('other names of conversions', () => {
  const ONE = [{ alias: 'pi_9', externalId: 'in_9' }];
  it('are learnt from every event that knows both', () => {
    expect(joins('invoice.paid', { ...INVOICE, id: 'in_9', payment_intent: 'pi_9' }).aliases).toEqual(ONE);
    const payment = { invoice: 'in_9', payment: { type: 'payment_intent', payment_intent: 'pi_9' } };
    expect(joins('invoice_payment.paid', payment).aliases).toEqual(ONE);
    expect(joins('invoice.paid', { ...INVOICE, id: 'in_9', payments: { data: [payment] } }).aliases).toEqual(ONE);
    expect(joins('payment_intent.succeeded', { id: 'pi_9', payment_details: { order_reference: 'in_9' } }).aliases).toEqual(ONE);
    expect(joins('payment_intent.succeeded', { id: 'pi_9', payment_details: { order_reference: 'my-own' } }).aliases).toEqual([]);
    expect(joins('checkout.session.completed', { ...SESSION, invoice: 'in_9', payment_intent: { id: 'pi_9' } }).aliases).toEqual(ONE);
    expect(joins('checkout.session.completed', SESSION).aliases).toEqual([]);
  });
});
