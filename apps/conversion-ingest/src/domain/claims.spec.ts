import {
  ConversionReceived,
  type ConversionReceivedData,
  ConversionVerified,
  IdentityLinked,
  mintClickId,
  ReversalReceived,
  validated,
} from '@baton/contracts';
import fc from 'fast-check';
import {
  type Claim,
  claimConversion,
  type ConversionAsked,
  claimIdentity,
  claimReversal,
  claimVerification,
  judge,
  type Known,
  type Reception,
  type Referrer,
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
const none: Known = {
  programs: [],
  programOfLink: new Map(),
  currencyOf: new Map(),
  partnerOfLink: new Map(),
  partnerOfCode: new Map(),
  chainOf: new Map(),
};
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

describe('a verification', () => {
  const claim = (more: object = {}, at: Partial<Reception> = {}) =>
    readable(claimVerification({ external_id: 'signup-1', ...more }, { ...reception, ...at }));

  it('is one for each conversion: a later one says the same', () => {
    const [first, second] = [claim(), claim({ occurred_at: '2026-11-20T12:00:00Z' }, { receivedAtMs: NOW_MS + 5_000 })];
    expect([second.factId, second.bodyHash]).toEqual([first.factId, first.bodyHash]);
    expect(claim({ external_id: 'signup-2' }).factId).not.toBe(first.factId);
    expect(claim({}, { tenantId: OTHER }).factId).not.toBe(first.factId);
  });

  it('of a test key never stands in the way of the live one', () => {
    expect(claim({}, { test: true }).factId).not.toBe(claim().factId);
  });

  it('names its conversion, known or not, and is a good event', () => {
    const verification = claim();
    expect(verification.data.conversionId).toBe(readable(claimConversion({ ...order, external_id: 'signup-1' }, reception)).factId);
    expect(validated(ConversionVerified, verification.data)).toMatchObject({ externalId: 'signup-1', test: false });
    expect(judge(verification, none)).toMatchObject({
      kind: 'accepted',
      answer: { kind: 'verification', verification_id: verification.factId, conversion_id: verification.data.conversionId },
    });
  });

  it('is too old or in the future as any fact', () => {
    expect(codeOf(claim({ occurred_at: '2020-01-01T00:00:00Z' }))).toBe('too_old');
    expect(codeOf(claim({ occurred_at: '2026-11-21T13:00:00Z' }))).toBe('in_future');
    expect(codeOf(claimVerification({ external_id: 'a', occurred_at: 'soon' }, reception))).toBe('malformed');
  });

  it('is awaited by signups and leads alone', () => {
    const asked = (type: ConversionAsked['type'] | undefined, pending_verification = true) =>
      claimConversion({ ...order, ...(type ? { type } : {}), pending_verification }, reception);
    expect([undefined, null, 'sale', 'subscription_payment', 'custom'].map((type) => codeOf(asked(type as never)))).toEqual(
      Array.from({ length: 5 }, () => 'malformed'),
    );
    expect(codeOf(asked('sale', false))).toBe('accepted');
    for (const type of ['signup', 'lead'] as const) {
      const pending = readable(asked(type));
      expect(pending.data.pendingVerification).toBe(true);
      expect(judge(pending, none)).toMatchObject({ kind: 'accepted', answer: { pending_verification: true } });
      expect(readable(asked(type, false)).bodyHash).not.toBe(pending.bodyHash);
      expect(JSON.stringify(readable(asked(type, false)).data)).not.toContain('pendingVerification');
    }
  });
});

describe('a conversion among referrals', () => {
  const PARTNER = '33333333-3333-4333-8333-333333333333';
  const customer = (customerId: string, more: Partial<Referrer> = {}): Referrer => ({
    partnerId: PARTNER,
    kind: 'customer',
    customerId,
    depth: 0,
    goesOn: false,
    ...more,
  });
  const professional = customer('nobody', { kind: 'partner', customerId: null });
  const knowing = (...chain: Referrer[]): Known => ({
    ...none,
    partnerOfLink: new Map([[5, PARTNER]]),
    partnerOfCode: new Map([['friend', PARTNER]]),
    chainOf: new Map([[PARTNER, chain]]),
  });
  const by = (more: Partial<ConversionAsked>, known: Known) => judge(readable(claimConversion({ ...order, ...more }, reception)), known);
  const clicked = { click_id: clickOf(TENANT) };
  const depthOf = (more: Partial<ConversionAsked>, known: Known) => {
    const judgement = by(more, known);
    if (judgement.kind === 'refused') throw new Error(judgement.refusal.code);
    expect(judgement.answer['referral_depth']).toBe((judgement.event.data as ConversionReceivedData).referralDepth);
    return judgement.answer['referral_depth'];
  };

  it.each<[string, unknown, Partial<ConversionAsked>, Known]>([
    ['0 by a partner’s link', 0, clicked, knowing(professional)],
    ['1 by a customer’s', 1, clicked, knowing(customer('a'))],
    ['2 by one who was referred', 2, clicked, knowing(customer('b'), customer('a'))],
    ['what the last one says, where the chain goes on', 9, clicked, knowing(customer('b'), customer('a', { depth: 7, goesOn: true }))],
    ['1 by a customer’s code', 1, { referral_code: 'friend' }, knowing(customer('a'))],
    ['the click’s before the code’s', 1, { ...clicked, referral_code: 'blog' }, knowing(customer('a'))],
    ['not told where nobody is named', undefined, {}, knowing(customer('a'))],
    ['not told where the partner is not known yet', undefined, clicked, { ...knowing(), chainOf: new Map() }],
    ['not told where the link is not known yet', undefined, clicked, { ...knowing(customer('a')), partnerOfLink: new Map() }],
  ])('has the depth %s', (_name, depth, more, known) => expect(depthOf(more, known)).toBe(depth));

  it.each<[string, string, string, Partial<ConversionAsked>, Referrer[]]>([
    ['by their own link', 'click_id', 'is their own', clicked, [customer('c1')]],
    ['by their own code', 'referral_code', 'is their own', { referral_code: 'friend' }, [customer('c1')]],
    ['by whom they referred', 'click_id', 'was referred by them.', clicked, [customer('a'), customer('c1')]],
    ['by whom those referred', 'click_id', '2 steps up', clicked, [customer('b'), customer('a'), customer('c1')]],
  ])('is refused where the customer would refer themself: %s', (_name, field, why, more, chain) => {
    expect(by(more, knowing(...chain))).toMatchObject({
      kind: 'refused',
      refusal: { code: 'self_referral', field, detail: expect.stringContaining(why) },
    });
  });

  it('is not refused for a partner who has the same text as an id, nor without a customer', () => {
    expect(depthOf(clicked, knowing({ ...professional, customerId: 'c1' }))).toBe(0);
    expect(depthOf({ ...clicked, customer_id: null, emailHash: 'ab' }, knowing(customer('c1')))).toBe(1);
  });
});
