import { ConversionReceived, IdentityLinked, mintClickId, ReversalReceived, validated } from '@baton/contracts';
import fc from 'fast-check';
import {
  type Claim,
  claimConversion,
  type ConversionAsked,
  claimIdentity,
  claimReversal,
  judge,
  type Known,
  type Reception,
  reversalIdOf,
  type Unreadable,
} from '.';
import { fingerprint } from './fingerprint';

const TENANT = '11111111-1111-4111-8111-111111111111';
const OTHER = '11111111-1111-4111-8111-222222222222';
const PROGRAMS = ['22222222-2222-4222-8222-222222222222', '22222222-2222-4222-8222-333333333333'] as const;
const NOW_MS = Date.UTC(2026, 10, 21, 12);
const DAY_MS = 86_400_000;
const keys = new Map([[1, Buffer.alloc(32, 7)]]);
const clickOf = (tenantId: string, linkNumber = 5) =>
  mintClickId(keys, tenantId, { keyId: 1, linkNumber, occurredAtMs: NOW_MS - 1_000, nonce: 9 });
const reception: Reception = {
  tenantId: TENANT,
  test: false,
  keyProgramId: null,
  receiptId: '77777777-7777-4777-8777-777777777777',
  receivedAtMs: NOW_MS,
  door: 'api',
  clickIdKeys: keys,
};
const order: ConversionAsked = { external_id: 'order-1', amount_minor: 12_000, currency: 'EUR', customer_id: 'c1', emailHash: null };
const none: Known = { programs: [], programOfLink: new Map(), currencyOf: new Map() };
const readable = <C extends Claim>(claim: C | Unreadable): C => {
  if (claim.kind === 'unreadable') throw new Error(claim.refusal.code);
  return claim as C;
};
const codeOf = (claim: Claim | Unreadable, known = none): string => {
  if (claim.kind === 'unreadable') return claim.refusal.code;
  if (claim.kind === 'reversals') throw new Error('a selection is judged beside what it selects');
  const judgement = judge(claim, known);
  return judgement.kind === 'refused' ? judgement.refusal.code : 'accepted';
};

describe('the fingerprint of a body', () => {
  const shuffled = (value: unknown): unknown =>
    Array.isArray(value)
      ? value.map(shuffled)
      : typeof value === 'object' && value !== null
        ? Object.fromEntries(
            Object.entries(value)
              .reverse()
              .map(([k, v]) => [k, shuffled(v)]),
          )
        : value;

  it('does not depend on the order of keys, nor on nulls and empty maps', () => {
    fc.assert(
      fc.property(
        fc.dictionary(
          fc.string({ minLength: 1 }).filter((k) => !/^(\d+|__proto__)$/.test(k)),
          fc.jsonValue({ maxDepth: 3 }),
        ),
        (body) => {
          expect(fingerprint('x', shuffled(body) as object)).toBe(fingerprint('x', body));
          expect(fingerprint('x', { ...body, absent: null, also: undefined, empty: {} })).toBe(
            fingerprint('x', { ...body, absent: undefined }),
          );
        },
      ),
    );
  });

  it('tells different bodies apart, also where their texts run together', () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string(), fc.string()), fc.dictionary(fc.string(), fc.string()), (a, b) => {
        const same = JSON.stringify(Object.entries(a).sort()) === JSON.stringify(Object.entries(b).sort());
        expect(fingerprint('x', a) === fingerprint('x', b)).toBe(same);
      }),
    );
    expect(fingerprint('x', { a: '1' })).not.toBe(fingerprint('x', { a: 1 }));
    expect(fingerprint('x', { a: 1 })).not.toBe(fingerprint('y', { a: 1 }));
  });

  const hashOf = (more: Partial<ConversionAsked>, at: Partial<Reception> = {}) =>
    readable(claimConversion({ ...order, ...more }, { ...reception, ...at })).bodyHash;

  it('is the same for the same order: at another time, as another receipt, with the instant written otherwise, with empty fields', () => {
    const first = hashOf({ occurred_at: '2026-11-20T12:00:00Z' });
    expect(hashOf({ occurred_at: '2026-11-20T14:00:00+02:00' }, { receivedAtMs: NOW_MS + 9_999, receiptId: OTHER })).toBe(first);
    expect(hashOf({}, { receivedAtMs: NOW_MS + 9_999 })).toBe(hashOf({}));
    expect(hashOf({ coupon_code: '', metadata: {}, click_id: null, type: 'sale', line_items: [] })).toBe(hashOf({}));
  });

  it('does not move with what was derived: rotated keys, the program of the key', () => {
    const click_id = clickOf(TENANT);
    expect(hashOf({ click_id }, { door: 'api', clickIdKeys: new Map(), keyProgramId: PROGRAMS[0] })).toBe(hashOf({ click_id }));
  });

  it.each<[string, Partial<ConversionAsked>]>([
    ['amount', { amount_minor: 12_001 }],
    ['currency', { currency: 'USD' }],
    ['type', { type: 'lead' }],
    ['time, once it is sent', { occurred_at: '2026-11-21T12:00:00Z' }],
    ['click', { click_id: clickOf(TENANT) }],
    ['e-mail', { emailHash: 'ab' }],
    ['line items', { line_items: [{ amount_minor: 1 }] }],
    ['metadata', { metadata: { a: '1' } }],
  ])('changes with the %s', (_name, more) => expect(hashOf(more)).not.toBe(hashOf({})));
  it('changes between test and live', () => expect(hashOf({}, { test: true })).not.toBe(hashOf({})));
});

describe('a conversion', () => {
  it.each<[string, Partial<ConversionAsked>, string]>([
    ['a whole amount', {}, 'accepted'],
    ['nothing', { amount_minor: 0 }, 'accepted'],
    ['a fraction', { amount_minor: 12.5 }, 'amount_invalid'],
    ['text', { amount_minor: '12' }, 'amount_invalid'],
    ['a negative amount', { amount_minor: -1 }, 'amount_invalid'],
    ['no amount', { amount_minor: undefined }, 'amount_invalid'],
    ['NaN', { amount_minor: Number.NaN }, 'amount_invalid'],
    ['too much', { amount_minor: 9_000_000_000_001 }, 'amount_invalid'],
    ['a bad line', { line_items: [{ amount_minor: 1 }, { amount_minor: 1.5 }] }, 'amount_invalid'],
    ['small letters', { currency: 'eur' }, 'currency_unknown'],
    ['a currency that is none', { currency: 'ABC' }, 'currency_unknown'],
    ['no evidence', { customer_id: null }, 'evidence_missing'],
    ['an empty customer', { customer_id: ' ' }, 'evidence_missing'],
    ['a visitor alone', { customer_id: null, visitor_id: 'v' }, 'evidence_missing'],
    ['a coupon alone', { customer_id: null, coupon_code: 'X' }, 'accepted'],
    ['an e-mail alone', { customer_id: null, emailHash: 'ab' }, 'accepted'],
    ['a click alone', { customer_id: null, click_id: clickOf(TENANT) }, 'accepted'],
    ['another tenant’s click alone', { customer_id: null, click_id: clickOf(OTHER) }, 'click_forged'],
    ['another tenant’s click beside a customer', { click_id: clickOf(OTHER) }, 'accepted'],
    ['400 days', { occurred_at: new Date(NOW_MS - 400 * DAY_MS).toISOString() }, 'accepted'],
    ['a moment more', { occurred_at: new Date(NOW_MS - 400 * DAY_MS - 1).toISOString() }, 'too_old'],
    ['five minutes ahead', { occurred_at: new Date(NOW_MS + 300_000).toISOString() }, 'accepted'],
    ['a moment more ahead', { occurred_at: new Date(NOW_MS + 300_001).toISOString() }, 'in_future'],
    ['no instant', { occurred_at: 'tomorrow' }, 'malformed'],
  ])('with %s', (_name, more, code) => expect(codeOf(claimConversion({ ...order, ...more }, reception))).toBe(code));

  it('names dropped evidence in the event and the answer, and leaves the click out', () => {
    const claim = readable(claimConversion({ ...order, click_id: clickOf(OTHER) }, reception));
    const judgement = judge(claim, none);
    expect(judgement).toMatchObject({
      kind: 'accepted',
      event: { data: { droppedEvidence: ['click_forged'] } },
      answer: { dropped_evidence: ['click_forged'], program_id: null },
    });
    expect(claim.data.clickId).toBeUndefined();
  });

  it('always is what consumers accept', () => {
    const text = (max: number) => fc.string({ maxLength: max, unit: 'grapheme' }).filter((t) => [...t].length <= max);
    const asked = fc.record(
      {
        external_id: text(255).filter((t) => t.length > 0),
        amount_minor: fc.nat(),
        currency: fc.constantFrom('EUR', 'JPY'),
        customer_id: fc.option(text(255)),
        emailHash: fc.constant('ab'),
        click_id: fc.constantFrom('', 'x', clickOf(TENANT), clickOf(OTHER)),
        line_items: fc.array(fc.record({ sku: text(128), amount_minor: fc.nat() }), { maxLength: 3 }),
        occurred_at: fc.constantFrom(null, '', '2026-11-20T12:00:00+02:00'),
        metadata: fc.dictionary(
          text(64).filter((t) => t.length > 0 && t !== '__proto__'),
          text(500),
          { maxKeys: 25 },
        ),
      },
      { requiredKeys: ['external_id', 'amount_minor', 'currency', 'emailHash'] },
    );
    fc.assert(
      fc.property(asked, (body) => {
        const judgement = judge(readable(claimConversion(body as ConversionAsked, reception)), none);
        if (judgement.kind === 'refused') throw new Error(judgement.refusal.code);
        validated(ConversionReceived, judgement.event.data);
      }),
    );
  });
});

describe('a reversal', () => {
  const refund = { external_id: 'order-1', reversal_id: 'r1', amount_minor: 100, currency: 'EUR' };
  const known: Known = { ...none, currencyOf: new Map([[readable(claimConversion(order, reception)).factId, 'USD']]) };
  it.each<[string, object, string, Known?]>([
    ['in part, before its conversion', {}, 'accepted'],
    ['whole, without an id', { reversal_id: null, amount_minor: null, currency: null }, 'accepted'],
    ['in part, without an id', { reversal_id: '' }, 'reversal_id_missing'],
    ['of nothing', { amount_minor: 0 }, 'amount_invalid'],
    ['in no currency', { currency: 'XXX' }, 'currency_unknown'],
    ['in another currency than its conversion', {}, 'currency_mismatch', known],
    ['in no currency of its own', { currency: null }, 'accepted', known],
    ['long ago', { occurred_at: '2020-01-01T00:00:00Z' }, 'too_old'],
  ])('%s', (_name, more, code, stores = none) => {
    const claim = claimReversal({ ...refund, ...more }, reception);
    expect(codeOf(claim, stores)).toBe(code);
    if (claim.kind !== 'unreadable') validated(ReversalReceived, claim.data);
  });
  it('cannot be mistaken for a whole one, whatever its id', () =>
    expect(reversalIdOf(TENANT, 'o', 'whole')).not.toBe(reversalIdOf(TENANT, 'o', null)));
});

describe('an identity', () => {
  const pair = { click_id: clickOf(TENANT), customer_id: 'c', emailHash: null };
  it.each<[string, object, string]>([
    ['of two identifiers', {}, 'accepted'],
    ['of one', { click_id: null }, 'identifiers_missing'],
    ['of a click id of nobody and one more', { click_id: 'gclid' }, 'click_unknown'],
    ['of a forged click and one more', { click_id: clickOf(OTHER) }, 'click_forged'],
    ['of a forged click and two more', { click_id: 'forged', emailHash: 'ab' }, 'accepted'],
  ])('%s', (_name, more, code) => {
    const claim = claimIdentity({ ...pair, ...more }, reception);
    expect(codeOf(claim)).toBe(code);
    if (code === 'accepted') validated(IdentityLinked, readable(claim).data);
  });
  it('is the same one later, and beside a click that is not believed', () => {
    const first = readable(claimIdentity({ customer_id: 'c', emailHash: 'ab' }, reception));
    const again = readable(
      claimIdentity({ customer_id: 'c', emailHash: 'ab', click_id: 'forged', occurred_at: '2026-11-20T00:00:00Z' }, reception),
    );
    expect([again.factId, again.bodyHash]).toEqual([first.factId, first.bodyHash]);
  });
});
