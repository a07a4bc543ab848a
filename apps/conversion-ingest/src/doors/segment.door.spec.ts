import { Problem } from '@baton/platform';
import fc from 'fast-check';
import type { Posted } from '../posted';
import type { DoorRequest, DoorSettings } from './door';
import { settingProblems } from './asked';
import { door } from './segment.door';
import { minorOf } from './segment/money';

type Fields = Record<string, unknown>;
const CLICK = 'EQAAAAABAZwT7J4AAAAAAXz1bjrKrKhK';
const NOW = Date.UTC(2026, 1, 2, 12);
const KNOWN = { test: false, landingParams: ['ref_click'] };

const request = (body: Fields, headers: Record<string, string> = {}): DoorRequest => ({
  ...{ method: 'POST', path: '/v1/x', params: {}, query: new URLSearchParams(), receivedAtMs: NOW, headers },
  ...{ raw: Buffer.from(JSON.stringify(body)), json: () => body, form: () => new URLSearchParams() },
});
const routeOf = (type: string) => door.routes.find(({ path }) => path === `/v1/${type}`) as (typeof door.routes)[number];
const read = (type: string, body: Fields, settings: DoorSettings = {}): readonly Posted[] =>
  routeOf(type).read(request(body), settings, KNOWN);
const bodies = (posted: readonly Posted[]): Fields[] => posted.map(({ body }) => body as Fields);
const track = (event: string, properties: Fields, settings: DoorSettings = {}, more: Fields = {}): Fields | undefined =>
  bodies(read('track', { userId: 'u1', messageId: 'm1', event, properties, ...more }, settings))[0];

describe('a tracked event', () => {
  it('of the e-commerce spec is a sale', () => {
    const properties = { order_id: 'o-1', total: 30.5, revenue: 25, currency: 'eur', coupon: 'SPRING' };
    expect(
      read('track', {
        userId: 17,
        anonymousId: 'a1',
        messageId: 'm1',
        event: 'Order Completed',
        properties,
        timestamp: '2026-02-02T11:59:00Z',
      }),
    ).toEqual([
      {
        kind: 'conversion',
        body: {
          ...{
            customer_id: '17',
            visitor_id: 'a1',
            email: null,
            click_id: null,
            amount_minor: 3050,
            currency: 'EUR',
            external_id: 'o-1',
            order_id: null,
          },
          ...{
            coupon_code: 'SPRING',
            program_id: undefined,
            type: 'sale',
            event: 'Order Completed',
            occurred_at: '2026-02-02T11:59:00.000Z',
          },
          metadata: { message_id: 'm1' },
        },
      },
    ]);
    expect(track('order_completed', { revenue: '25,00', currency: 'EUR' })).toMatchObject({ external_id: 'm1', amount_minor: 2500 });
  });

  it('that refunds takes back what it names, else all', () => {
    expect(
      read('track', {
        userId: 'u',
        messageId: 'm2',
        event: 'Order Refunded',
        properties: { order_id: 'o-1', total: -10, currency: 'EUR' },
      }),
    ).toEqual([
      {
        kind: 'reversal',
        body: { external_id: 'o-1', amount_minor: 1000, currency: 'EUR', reversal_id: 'm2', reason: 'Order Refunded', occurred_at: null },
      },
    ]);
    expect(track('Order Refunded', { order_id: 'o-1' })).not.toHaveProperty('amount_minor');
    expect(track('Order Cancelled', { order_id: 'o-1', total: 3 })).not.toHaveProperty('amount_minor');
  });

  it('means nothing unless it is usual or the tenant says so', () => {
    expect(track('Product Viewed', { price: 3 })).toBeUndefined();
    expect(track('constructor', {})).toBeUndefined();
    const events = {
      'Plan bought': { as: 'subscription_payment', amount: ['properties.deal.value'], external_id: ['properties.deal.id'] },
      'Signed Up': null,
    };
    expect(track('plan_bought', { deal: { id: 7, value: 9 } }, { events, currency: 'JPY' })).toMatchObject({
      ...{ external_id: '7', type: 'subscription_payment', amount_minor: 9, currency: 'JPY' },
    });
    expect(track('Signed Up', {}, { events })).toBeUndefined();
    expect(track('Signed Up', {})).toMatchObject({ type: 'signup', external_id: 'm1' });
  });

  it('finds the click id wherever the trade puts it, and takes nothing else for one', () => {
    const clickOf = (more: Fields, settings: DoorSettings = {}) => track('Lead', {}, settings, more)?.['click_id'];
    for (const more of [
      { properties: { click_id: CLICK } },
      { properties: { ref_click: CLICK } },
      { context: { campaign: { clickid: CLICK } } },
      { context: { page: { url: `https://shop.example/?x=1&anything=${CLICK}` } } },
      { context: { referrer: { id: CLICK, type: 'baton' } } },
    ])
      expect([more, clickOf(more)]).toEqual([more, CLICK]);
    expect(clickOf({ properties: { cid: '1234.5678', transaction_id: 'T-1' } })).toBeNull();
    expect(clickOf({ properties: { mine: 'odd' } }, { click_id: ['properties.mine'] })).toBe('odd');
  });

  it('happened when it says, by a clock that is ahead not later than now', () => {
    const at = (more: Fields) => track('Lead', {}, {}, more)?.['occurred_at'];
    expect(at({ timestamp: '2026-02-01T12:00:00Z', sentAt: '2026-02-02T11:00:00Z' })).toBe('2026-02-01T12:00:00.000Z');
    expect(at({ timestamp: '2026-02-02T14:50:00Z', sentAt: '2026-02-02T15:00:00Z' })).toBe('2026-02-02T11:50:00.000Z');
    expect(at({ timestamp: '2026-02-03T00:00:00Z' })).toBe('2026-02-02T12:00:00.000Z');
    expect(at({ timestamp: 'yesterday' })).toBeNull();
  });

  it('without an id of its own is known by what it says', () => {
    const idOf = (sentAt: string, value = 1) =>
      bodies(read('track', { userId: 'u', event: 'Lead', properties: { value }, sentAt }))[0]?.['external_id'];
    expect(idOf('2026-02-02T11:00:00Z')).toBe(idOf('2026-02-02T11:05:00Z'));
    expect(idOf('2026-02-02T11:00:00Z')).not.toBe(idOf('2026-02-02T11:00:00Z', 2));
  });
});

describe('amounts in major units', () => {
  it.each([
    [12.34, 'EUR', 1234],
    [19.99, 'USD', 1999],
    [1.005, 'EUR', 101],
    [500, 'JPY', 500],
    [1.5, 'KWD', 1500],
    ['12,34', 'EUR', 1234],
    ['€ 1.234,56', 'EUR', 123456],
    ['1,234.56 USD', 'USD', 123456],
    ['1 234,5', 'EUR', 123450],
    ['1,234,567', 'JPY', 1234567],
    ['1.234.567,8', 'EUR', 123456780],
    ['0,500', 'KWD', 500],
    ['-3.50', 'EUR', -350],
    ['CHF 1’250.05', 'CHF', 125005],
  ])('%p in %s is %d', (value, currency, minor) => expect(minorOf(value, currency)).toBe(minor));

  it.each(['1,234', '1.2.3', '12.34.567', 'free', '', '1,2,3.4', '1.234,56,78', true, null, NaN])('%p is not guessed', (value) =>
    expect(minorOf(value, 'EUR')).toBe(value),
  );

  it('come back from however they are written', () => {
    const whole = fc.integer({ min: 0, max: 99_999_999_999 });
    fc.assert(
      fc.property(whole, fc.constantFrom('en', 'de', 'plain', 'number'), (minor, notation) => {
        const major = minor / 100;
        const grouped = (locale: string) => major.toLocaleString(locale, { minimumFractionDigits: 2, maximumFractionDigits: 2 });
        const said =
          notation === 'en' ? grouped('en-US') : notation === 'de' ? grouped('de-DE') : notation === 'plain' ? major.toFixed(2) : major;
        return minorOf(said, 'EUR') === minor;
      }),
    );
  });
});

describe('people and pages', () => {
  it('are identified where two names are known', () => {
    expect(read('identify', { userId: 'u1', anonymousId: 'a1', traits: { email: 'jane@example.org' } })).toEqual([
      { kind: 'identity', body: { customer_id: 'u1', visitor_id: 'a1', email: 'jane@example.org', click_id: null, occurred_at: null } },
    ]);
    expect(read('identify', { userId: 'u1', traits: { email: 'no address' } })).toEqual([]);
    expect(read('identify', { userId: 'u1', anonymousId: 'a'.repeat(65) })).toEqual([]);
    expect(read('identify', { userId: 'u1', anonymousId: 'a1' }, { identify: false })).toEqual([]);
    expect(bodies(read('alias', { userId: 'u1', previousId: 'a1' }))).toMatchObject([{ customer_id: 'u1', visitor_id: 'a1' }]);
  });

  it('are touches where somebody came from elsewhere', () => {
    const visit = (url: string, referrer: string | undefined, more: Fields = {}) =>
      bodies(read('page', { anonymousId: 'a1', messageId: 'm1', context: { page: { url, referrer }, ...more } }));
    expect(visit('https://shop.example/a', 'https://news.example/x')).toEqual([
      expect.objectContaining({
        touch_id: 'm1',
        page: 'https://shop.example/a',
        referrer: 'https://news.example/x',
        visitor_id: 'a1',
        utm: {},
      }),
    ]);
    expect(visit('https://shop.example/b', 'https://shop.example/a')).toEqual([]);
    expect(visit('https://shop.example/b', '')).toHaveLength(1);
    expect(visit('https://shop.example/b?utm_source=x', 'https://shop.example/a')).toHaveLength(1);
    expect(visit(`https://shop.example/b?id=${CLICK}`, 'https://shop.example/a')).toMatchObject([{ click_id: CLICK }]);
    expect(visit('https://shop.example/b', 'https://shop.example/a', { campaign: { name: 'spring' } })).toMatchObject([
      { utm: { utm_campaign: 'spring' } },
    ]);
    expect(read('page', { anonymousId: 'a1' }, { pages: false })).toEqual([]);
  });
});

describe('what is no message', () => {
  it('is refused by itself, and a batch’s others are taken', () => {
    const fine = { type: 'track', userId: 'u', messageId: 'm', event: 'Lead' };
    const large = { ...fine, properties: { text: 'x'.repeat(33_000) } };
    const posted = read('batch', { batch: [fine, 7, { type: 'track' }, { ...fine, type: 'dance' }, large, { ...fine, messageId: 'n' }] });
    expect(posted.map(({ problem, kind }) => problem?.code ?? kind)).toEqual([
      'conversion',
      'malformed',
      'malformed',
      'malformed',
      'too_large',
      'conversion',
    ]);
    expect(() => read('track', large)).toThrow(/32768/);
    expect(() => read('track', { event: 'Lead' })).toThrow(Problem);
    expect(() => read('batch', { batch: {} })).toThrow(/array/);
  });

  it('never brings anything but a Problem to an end', () => {
    const messages = fc.array(
      fc.oneof(
        fc.jsonValue(),
        fc.record({
          type: fc.constantFrom('track', 'page', 'identify', 'alias'),
          userId: fc.jsonValue(),
          event: fc.constantFrom('Lead', 'Order Completed', 'Order Refunded'),
          properties: fc.jsonValue(),
          context: fc.jsonValue(),
          timestamp: fc.jsonValue(),
        }),
      ),
    );
    fc.assert(fc.property(messages, (batch) => Array.isArray(read('batch', { batch }))));
  });
});

describe('keys, answers, settings', () => {
  it('finds the write key as user of Basic or in the body', () => {
    const { keyOf } = routeOf('track');
    const basic = `Basic ${Buffer.from('bk_x:').toString('base64')}`;
    expect([keyOf?.(request({}, { authorization: basic })), keyOf?.(request({ writeKey: 'bk_y' })), keyOf?.(request({}))]).toEqual([
      'bk_x',
      'bk_y',
      null,
    ]);
  });

  it('answers as Segment does', () => {
    const { answer, refuse } = routeOf('batch');
    const rejected = (code: 'click_unknown' | 'unavailable') =>
      ({ kind: 'rejected', receiptId: null, problem: new Problem(code) }) as const;
    expect(answer([rejected('click_unknown')], request({}))).toEqual({ status: 200, body: { success: true } });
    expect(answer([rejected('click_unknown'), rejected('unavailable')], request({})).status).toBe(503);
    expect(
      (['too_large', 'malformed', 'over_quota', 'unauthorised', 'internal'] as const).map(
        (code) => refuse(new Problem(code), request({})).status,
      ),
    ).toEqual([400, 400, 429, 401, 500]);
  });

  it('names every problem of its settings', () => {
    const problems = settingProblems(door, { currency: 'euro', events: { A: { as: 'x' }, B: null, C: {} }, click_id: ['a..b'] }, true);
    expect(problems.map(({ field }) => field)).toEqual(['currency', 'events.A.as', 'events.C.as', 'click_id[0]']);
  });
});
