import { Problem } from '@baton/platform';
import type { Told } from '../intake';
import type { DoorRequest } from './door';
import { door as dub } from './dub.door';
import { door as partnerstack } from './partnerstack.door';
import { currencyOf, derivedId, detailIn, idOf, instantOf, isLateRepeat, metadataOf } from './words';

const NOW_MS = Date.UTC(2026, 0, 31, 12);
const HOUR_MS = 3_600_000;
const KNOWN = { test: false, landingParams: [] };
const asked = (body: object, headers: Record<string, string> = {}): DoorRequest => ({
  method: 'POST',
  path: '/',
  params: {},
  query: new URLSearchParams(),
  headers,
  raw: Buffer.alloc(0),
  receivedAtMs: NOW_MS,
  json: () => body as Record<string, unknown>,
  form: () => new URLSearchParams(),
});
const repeat = (externalId: string, hoursAgo: number): Told => ({
  kind: 'duplicate',
  receiptId: 'r',
  answer: {
    external_id: externalId,
    received_at: new Date(NOW_MS - hoursAgo * HOUR_MS).toISOString(),
    occurred_at: '2026-01-31T12:00:00Z',
  },
});

describe('an id for what came without one', () => {
  it('is the same on a retry, whatever the order of its keys, and another for anything else that was said', () => {
    const id = derivedId('dub', asked({}), { amount: 1, metadata: { a: 1, b: 2 } });
    expect(derivedId('dub', asked({}), { metadata: { b: 2, a: 1 }, amount: 1 })).toBe(id);
    expect(derivedId('dub', asked({}), { metadata: { b: 2, a: 1 }, amount: 2 })).not.toBe(id);
    expect(id).toMatch(/^dub:[0-9a-f-]{36}$/);
  });

  it('is the sender’s own key where there is one, whatever was said', () => {
    const keyed = asked({}, { 'idempotency-key': 'k' });
    expect(derivedId('dub', keyed, { amount: 1 })).toBe(derivedId('dub', keyed, { amount: 2 }));
    expect(derivedId('dub', keyed, { amount: 1 })).not.toBe(derivedId('dub', asked({}), { amount: 1 }));
  });

  it('repeated within a day is a retry; later its sender is asked whether it is another one', () => {
    expect(isLateRepeat('dub', repeat('dub:x', 23), asked({}))).toBe(false);
    expect(isLateRepeat('dub', repeat('dub:x', 25), asked({}))).toBe(true);
    expect(isLateRepeat('dub', repeat('dub:x', 25), asked({}, { 'idempotency-key': 'k' }))).toBe(false);
    expect(isLateRepeat('dub', repeat('INV-1', 25), asked({}))).toBe(false);
    expect(isLateRepeat('dub', { ...repeat('dub:x', 25), kind: 'accepted' } as Told, asked({}))).toBe(false);
  });

  it('is asked for natively', () => {
    const sale = dub.routes.find(({ path }) => path === '/track/sale');
    const late = sale?.answer([repeat('dub:x', 25)], asked({ customerExternalId: 'c', amount: 1 }));
    expect(late).toMatchObject({ status: 409, body: { error: { code: 'conflict', message: expect.stringContaining('invoiceId') } } });
    expect(sale?.answer([repeat('dub:x', 1)], asked({ customerExternalId: 'c', amount: 1 }))).toMatchObject({ status: 200 });
    const transaction = partnerstack.routes[1];
    const told = [repeat('partnerstack:x', 25)];
    expect(transaction?.answer(told, asked({ amount: 1 }))).toMatchObject({
      status: 409,
      body: { message: expect.stringContaining('key') },
    });
    // Its own time tells it from any other.
    expect(transaction?.answer(told, asked({ amount: 1, created_at: NOW_MS }))).toMatchObject({ status: 200 });
  });
});

describe('a lead through Dub', () => {
  const idOfLead = (customerExternalId: string, eventName: string) =>
    (dub.routes[0]?.read(asked({ clickId: 'x', customerExternalId, eventName }), {}, KNOWN)[0]?.body as { external_id: string })
      .external_id;

  it('is one for each event of a customer, however the event is written', () => {
    expect(idOfLead('c', ' Sign Up')).toBe('lead:c:sign up');
    expect(idOfLead('c', 'sign up')).toBe(idOfLead('c', 'SIGN UP'));
    expect(idOfLead('a:b', 'c')).not.toBe(idOfLead('a', 'b:c'));
  });
});

describe('a refund through PartnerStack', () => {
  const read = (body: object, settings = {}) =>
    partnerstack.routes[1]?.read(asked({ customer_key: 'c', amount: -40, currency: 'EUR', ...body }), settings, KNOWN)[0]?.body;

  it('names its sale where the setting says', () => {
    expect(read({ key: 'refund', metadata: { order: 'k' } }, { original_key_in: 'metadata.order' })).toMatchObject({
      external_id: 'k',
      reversal_id: 'refund',
      amount_minor: 40,
    });
    expect(read({ key: 'k' }, { original_key_in: 'key' })).toMatchObject({
      external_id: 'k',
      reversal_id: expect.stringMatching(/^partnerstack:/),
    });
    expect(() => read({}, { original_key_in: 'key' })).toThrow(Problem);
  });
});

describe('words of dialects', () => {
  it('fit what we store', () => {
    expect(metadataOf({ a: 'x', b: 1, c: null, d: { e: [1] }, '': 'y' })).toEqual({ a: 'x', b: '1', d: '{"e":[1]}' });
    expect(metadataOf({ a: `${'x'.repeat(499)}😀` })).toEqual({ a: 'x'.repeat(499) });
    expect(Object.keys(metadataOf(Object.fromEntries(Array.from({ length: 40 }, (_, i) => [`k${i}`, i]))) ?? {})).toHaveLength(25);
    for (const none of [null, undefined, 'text', [1], {}]) expect(metadataOf(none)).toBeUndefined();
    expect([currencyOf(' eur '), currencyOf(7)]).toEqual(['EUR', 7]);
    expect(idOf('customer', 'c')).toBe('customer:c');
    expect(String(idOf('customer', 'c'.repeat(255)))).toMatch(/^customer:[0-9a-f-]{36}$/);
    expect(instantOf(NOW_MS, 'created_at')).toBe('2026-01-31T12:00:00.000Z');
    for (const none of [NOW_MS / 1000, '1', NaN, 1e20, -1]) expect(() => instantOf(none, 'created_at')).toThrow('created_at');
  });

  it('name our fields as the dialect does', () => {
    const problem = new Problem('malformed', 'amount_minor and line_items[0].amount_minor are wrong');
    expect(detailIn(problem, { amount_minor: 'amount' })).toBe('amount and line_items[0].amount are wrong');
  });
});
