import { ReversalReceived, validated } from '@baton/contracts';
import fc from 'fast-check';
import {
  type Cap,
  claimReversal,
  judgeSelection,
  leftOf,
  type Reception,
  type ReversalAsked,
  reversalIdOf,
  type SelectionClaim,
  SELECTORS,
  shareOf,
  type Standing,
  type Taken,
  takingsOf,
  takingsOfStandings,
  tallyOf,
} from '.';

const TENANT = '11111111-1111-4111-8111-111111111111';
const NOW_MS = Date.UTC(2026, 10, 21, 12);
const reception: Reception = {
  tenantId: TENANT,
  test: false,
  keyProgramId: null,
  receiptId: '77777777-7777-4777-8777-777777777777',
  receivedAtMs: NOW_MS,
  door: 'api',
  clickIdKeys: new Map(),
};
const CAP: Cap = { conversions: 10, minor: null };

const selection = (asked: ReversalAsked): SelectionClaim => {
  const claim = claimReversal(asked, reception);
  if (claim.kind !== 'reversals') throw new Error(claim.kind === 'unreadable' ? claim.refusal.code : 'one reversal');
  return claim;
};
const codeOf = (asked: ReversalAsked): string => {
  const claim = claimReversal(asked, reception);
  return claim.kind === 'unreadable' ? claim.refusal.code : claim.kind;
};
const conversion = (more: Partial<Taken> = {}): Taken => ({
  conversionId: '66666666-6666-8666-8666-666666666666',
  externalId: 'o1',
  orderId: null,
  clickId: null,
  type: 'sale',
  event: null,
  amountMinor: 1_000,
  currency: 'EUR',
  occurredAt: new Date(NOW_MS).toISOString(),
  test: false,
  lineItems: [],
  reversals: [],
  partnerIds: [],
  rewards: [],
  ...more,
});
const many = (count: number, more: Partial<Taken> = {}) =>
  Array.from({ length: count }, (_, i) => conversion({ conversionId: `c${i}`, externalId: `o${i}`, ...more }));
const withTaken = (of: Taken, takings: ReturnType<typeof takingsOf>): Taken => ({
  ...of,
  reversals: [
    ...of.reversals,
    ...takings.map(({ claim: { data }, lines }) => ({
      reversalId: data.reversalId,
      amountMinor: data.amountMinor ?? null,
      currency: data.currency ?? null,
      test: data.test,
      lines,
    })),
  ],
});

describe('what a reversal is of', () => {
  it('is named by exactly one selector', () => {
    const values = Object.fromEntries(SELECTORS.map((by) => [by === 'email' ? 'emailHash' : by, 'x']));
    delete values['click_id'];
    fc.assert(
      fc.property(fc.subarray(Object.keys(values)), (named) => {
        const asked = Object.fromEntries(named.map((by) => [by, 'x']));
        const expected = named.length !== 1 ? 'malformed' : named[0] === 'external_id' ? 'reversal' : 'reversals';
        expect(codeOf(asked)).toBe(expected);
      }),
    );
    expect(codeOf({ click_id: 'not-ours' })).toBe('click_unknown');
    expect(codeOf({ click_id: 'A'.repeat(32) })).toBe('click_forged');
  });

  it('refuses what could be read in two ways', () => {
    expect(codeOf({ order_id: 'o', amount_minor: 1, reversal_id: 'r' })).toBe('malformed');
    expect(codeOf({ customer_id: 'c', currency: 'EUR' })).toBe('malformed');
    expect(codeOf({ order_id: 'o', event: 'sale' })).toBe('malformed');
    expect(codeOf({ external_id: 'o', line_items: [{ sku: 'a' }], amount_minor: 1, reversal_id: 'r' })).toBe('malformed');
    expect(codeOf({ external_id: 'o', line_items: [{ sku: 'a' }, { sku: 'a' }] })).toBe('malformed');
    expect(codeOf({ external_id: 'o', line_items: [{ sku: 'a', quantity: 1 }] })).toBe('reversal_id_missing');
    expect(codeOf({ receipt_id: 'r', amount_minor: 1 })).toBe('reversal_id_missing');
  });

  it('is the same reversal of a conversion by whatever selector, so that nothing is taken back twice', () => {
    const plain = claimReversal({ external_id: 'o1', reason: 'fraud' }, reception);
    for (const asked of [{ receipt_id: 'r' }, { order_id: 'o1' }, { customer_id: 'c' }, { emailHash: 'e' }]) {
      const [taking, ...more] = takingsOf(selection({ ...asked, reason: 'fraud' }).terms, conversion());
      expect(more).toEqual([]);
      expect(taking?.claim).toMatchObject({ factId: reversalIdOf(TENANT, 'o1', null), coreHash: (plain as SelectionClaim).coreHash });
      validated(ReversalReceived, taking?.claim.data ?? {});
      expect(takingsOf(selection({ order_id: 'o1', reversal_id: 'again' }).terms, withTaken(conversion(), taking ? [taking] : []))).toEqual(
        [],
      );
    }
    const [refund] = takingsOf(selection({ order_id: 'o1', reversal_id: 'r1' }).terms, conversion());
    expect(refund?.claim.factId).toBe(reversalIdOf(TENANT, 'o1', 'r1'));
  });

  it('is the same request only where it says the same', () => {
    const idOf = (asked: ReversalAsked) => selection(asked).factId;
    const ids = [
      { order_id: 'a' },
      { order_id: 'b' },
      { customer_id: 'a' },
      { order_id: 'a', reversal_id: 'r' },
      { order_id: 'a', line_items: [{ sku: 'x' }] },
      { order_id: 'a', line_items: [{ sku: 'y' }] },
      { external_id: 'a', line_items: [{ sku: 'x' }] },
    ].map(idOf);
    expect(new Set(ids).size).toBe(ids.length);
    const lines = [{ sku: 'x' }, { sku: 'y' }];
    expect(idOf({ order_id: 'a', line_items: lines })).toBe(idOf({ order_id: 'a', line_items: [...lines].reverse() }));
    const returned = (quantity: number) => selection({ order_id: 'a', reversal_id: 'r', line_items: [{ sku: 'x', quantity }] });
    expect([returned(1).factId === returned(2).factId, returned(1).bodyHash === returned(2).bodyHash]).toEqual([true, false]);
  });
});

describe('lines', () => {
  const lineItems = [
    { sku: 'a', quantity: 3, amountMinor: 100 },
    { sku: 'b', quantity: 1, amountMinor: 900 },
  ];
  const returned = (of: Taken, reversal_id: string | null, ...line_items: { sku: string; quantity?: number }[]) =>
    takingsOf(selection({ order_id: 'o1', reversal_id, line_items }).terms, of);
  const amounts = (takings: ReturnType<typeof takingsOf>) => takings.map(({ claim }) => claim.data.amountMinor);

  it('come back by their share, half up, and pieces end exactly at the whole, however it is cut', () => {
    fc.assert(
      fc.property(
        // A unit is worth one minor unit or more: less is nothing that could be taken back.
        fc.integer({ min: 3_200, max: 9_000_000_000_000 }),
        fc.array(fc.integer({ min: 1, max: 400 }), { minLength: 1, maxLength: 8 }),
        (amountMinor, pieces) => {
          const units = pieces.reduce((sum, one) => sum + one, 0);
          let of = conversion({ amountMinor, lineItems: [{ sku: 'a', quantity: units, amountMinor }] });
          pieces.forEach((quantity, i) => (of = withTaken(of, returned(of, `r${i}`, { sku: 'a', quantity }))));
          expect(leftOf(of)).toBe(0);
          expect(returned(of, 'more', { sku: 'a', quantity: 1 })).toEqual([]);
        },
      ),
    );
    expect([shareOf(100, 1, 3), shareOf(5, 1, 2), shareOf(9_000_000_000_000, 999_999, 1_000_000)]).toEqual([33, 3, 8_999_991_000_000]);
  });

  it('of one return are one reversal, without an id of their own one each, so that no whole line comes back twice', () => {
    const of = conversion({ lineItems });
    expect(amounts(returned(of, 'r', { sku: 'a', quantity: 2 }, { sku: 'b' }))).toEqual([967]);
    const first = returned(of, null, { sku: 'a' });
    expect(amounts(first)).toEqual([100]);
    expect(amounts(returned(withTaken(of, first), null, { sku: 'a' }, { sku: 'b' }))).toEqual([900]);
  });

  it('are never more than was bought, and none of another order', () => {
    const of = conversion({ lineItems });
    const [two] = returned(of, 'r', { sku: 'a', quantity: 99 });
    expect([two?.claim.data.amountMinor, two?.lines]).toEqual([100, [{ sku: 'a', quantity: 3 }]]);
    expect(returned(of, 'r', { sku: 'c' })).toEqual([]);
    const judgement = judgeSelection(selection({ external_id: 'o1', line_items: [{ sku: 'c' }] }), [of], CAP);
    expect(judgement).toMatchObject({ refusal: { code: 'line_unknown' } });
  });
});

describe('the cap', () => {
  const judged = (asked: ReversalAsked, selected: readonly Taken[], cap = CAP) => {
    const judgement = judgeSelection(selection(asked), selected, cap);
    return judgement.kind === 'refused' ? judgement.refusal.code : judgement.takings.length;
  };

  it('lets pass what is not above it, and what was confirmed', () => {
    expect(judged({ customer_id: 'c' }, many(10))).toBe(10);
    expect(judged({ customer_id: 'c' }, many(11))).toBe('confirm_needed');
    expect(judged({ customer_id: 'c', confirm: true }, many(11))).toBe(11);
    expect(judged({ customer_id: 'c', dry_run: true }, many(11))).toBe(11);
    const money = { conversions: 10, minor: 2_000 };
    expect(judged({ order_id: 'o' }, many(2), money)).toBe(2);
    expect(judged({ order_id: 'o' }, many(3), money)).toBe('confirm_needed');
    expect(judged({ order_id: 'o' }, [...many(2), ...many(2, { currency: 'USD' })].slice(0, 3), money)).toBe(2 + 1);
  });

  it('counts only what is still to be taken back', () => {
    const before = many(11).map((one) => withTaken(one, takingsOf(selection({ order_id: 'o' }).terms, one)));
    expect(judged({ customer_id: 'c' }, before)).toBe(0);
    expect(tallyOf([]).conversions).toBe(0);
  });

  it('is no help with an e-mail address: that is always confirmed', () => {
    expect(judged({ emailHash: 'e' }, many(1))).toBe('confirm_needed');
    expect(judged({ emailHash: 'e', confirm: true }, many(1))).toBe(1);
    expect(judged({ emailHash: 'e', confirm: true }, [])).toBe('reversal_unknown');
  });

  it('is told with what it would take back: conversions, partners, money and rewards', () => {
    const rewards = [{ currency: 'EUR', amountMinor: 100 }];
    const selected = [
      ...many(6, { partnerIds: ['p1'], rewards }),
      ...many(6, { partnerIds: ['p1', 'p2'], currency: 'USD' }).map((one) => ({ ...one, conversionId: `usd-${one.conversionId}` })),
    ];
    expect(judgeSelection(selection({ customer_id: 'c' }), selected, CAP)).toMatchObject({
      refusal: {
        extra: {
          would_take_back: {
            conversions: 12,
            partners: 2,
            amounts: [
              { currency: 'EUR', amount_minor: 6_000 },
              { currency: 'USD', amount_minor: 6_000 },
            ],
            rewards: [{ currency: 'EUR', amount_minor: 600 }],
          },
        },
      },
    });
  });
});

describe('a reversal that waits', () => {
  const standing = (asked: ReversalAsked, more: Partial<Standing> = {}): Standing => ({
    terms: selection(asked).terms,
    cap: CAP,
    taken: { conversions: 0, amounts: [] },
    leftOut: 0,
    ...more,
  });

  it('takes what comes of its order, and unconfirmed never more than its cap altogether', () => {
    const waits = standing({ order_id: 'o' }, { taken: { conversions: 4, amounts: [] } });
    const { takings, after } = takingsOfStandings([waits], many(9, { orderId: 'o' }));
    expect([takings.length, after[0]?.taken.conversions, after[0]?.leftOut]).toEqual([6, 10, 3]);
    expect(takingsOfStandings([{ ...waits, cap: null }], many(9, { orderId: 'o' })).takings).toHaveLength(9);
    expect(takingsOfStandings([waits], [conversion({ orderId: 'p' }), conversion({ orderId: 'o', test: true })]).takings).toEqual([]);
  });

  it('takes a conversion once, though two wait for it', () => {
    const { takings, after } = takingsOfStandings(
      [standing({ order_id: 'o' }), standing({ order_id: 'o', reversal_id: 'r' })],
      [conversion({ orderId: 'o' })],
    );
    expect([takings.length, after.map(({ taken }) => taken.conversions)]).toEqual([1, [1, 0]]);
  });

  it('of a click takes what comes late, not what the click sells for ever after', () => {
    const waits = standing({ order_id: 'x' });
    const clicked = { ...waits, terms: { ...waits.terms, selection: { by: 'click_id' as const, value: 'k', event: 'trial' } } };
    const at = (ms: number, more: Partial<Taken> = {}) =>
      takingsOfStandings(
        [clicked],
        [conversion({ clickId: 'k', event: 'trial', occurredAt: new Date(NOW_MS + ms).toISOString(), ...more })],
      ).takings.length;
    expect([at(-9e9), at(24 * 3_600_000), at(24 * 3_600_000 + 1)]).toEqual([1, 1, 0]);
    expect([at(0, { event: null }), at(0, { event: null, type: 'trial' }), at(0, { clickId: 'l' })]).toEqual([0, 1, 0]);
  });
});
