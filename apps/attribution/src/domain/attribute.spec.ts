import fc from 'fast-check';
import { attribute, type Known } from './attribute';
import type { Click, ClickRecord, Conversion, Terms } from './facts';

const PROGRAM = 'p1';
const OTHER = 'p2';
const TERMS: Terms = { version: 3, windowMs: 1_000, clockSkewMs: 50 };
const terms = new Map([
  [PROGRAM, TERMS],
  [OTHER, TERMS],
]);
const conversion: Conversion = {
  conversionId: 'c1',
  externalId: 'order-1',
  receiptId: 'r1',
  programId: PROGRAM,
  type: 'sale',
  amountMinor: 10_000,
  currency: 'EUR',
  occurredAtMs: 10_000,
  test: false,
  clickId: null,
  customerId: 'k1',
  droppedEvidence: [],
  pendingVerification: false,
};
const record: ClickRecord = {
  linkId: 'l1',
  programId: PROGRAM,
  partnerId: 'a1',
  bot: false,
  prefetch: false,
  subIds: { sid: 'x' },
  network: null,
  addressHash: null,
  country: null,
};
const click = (clickId: string, occurredAtMs: number, more: Partial<Click> = {}): Click => ({
  clickId,
  linkNumber: 1,
  occurredAtMs,
  customerIds: [],
  record,
  link: null,
  ...more,
});
const decide = (known: Partial<Known>) =>
  attribute({ conversion, reversals: [], verifications: [], clicks: [], terms, settled: false, ...known });
const said = (known: Partial<Known>) => {
  const { content } = decide(known);
  return [content.outcome, content.reason, content.credits[0]?.clickId, content.lost.map((l) => `${l.clickId} ${l.reason}`)];
};

describe('attribute', () => {
  it('credits the last touch before the conversion, and says why the others lost', () => {
    expect(
      said({
        clicks: [
          click('a', 9_500),
          click('b', 9_900),
          click('late', 10_001),
          click('old', 8_999),
          click('bot', 9_950, { record: { ...record, bot: true } }),
          click('else', 9_960, { record: { ...record, programId: OTHER } }),
        ],
      }),
    ).toEqual([
      'attributed',
      'credited',
      'b',
      ['late after_conversion', 'else other_program', 'bot not_countable', 'a later_touch_won', 'old outside_window'],
    ]);
  });

  it('breaks a tie by the click id, never by arrival', () => {
    const tie = [click('a', 9_500), click('b', 9_500)];
    expect(said({ clicks: tie })[2]).toBe('b');
    expect(said({ clicks: tie.reverse() })[2]).toBe('b');
  });

  it('lets a click that the conversion itself names win over later touches', () => {
    expect(said({ conversion: { ...conversion, clickId: 'a' }, clicks: [click('b', 9_900), click('a', 9_500)] })).toEqual([
      'attributed',
      'credited',
      'a',
      ['b named_click_won'],
    ]);
  });

  it('falls back to the last touch when the named click is not eligible', () => {
    expect(said({ conversion: { ...conversion, clickId: 'old' }, clicks: [click('b', 9_900), click('old', 8_000)] })).toEqual([
      'attributed',
      'credited',
      'b',
      ['old outside_window'],
    ]);
  });

  it('believes a named click after the conversion within the clock skew, to the millisecond', () => {
    const named = { ...conversion, clickId: 'a' };
    expect(said({ conversion: named, clicks: [click('a', 10_050)] })[0]).toBe('attributed');
    expect(said({ conversion: named, clicks: [click('a', 10_051)] })).toEqual([
      'unattributed',
      'after_conversion',
      undefined,
      ['a after_conversion'],
    ]);
    expect(said({ clicks: [click('a', 10_001)] })[1]).toBe('after_conversion');
  });

  it('counts a click exactly as old as the window, and none older', () => {
    expect(said({ clicks: [click('a', 9_000)] })[0]).toBe('attributed');
    expect(said({ clicks: [click('a', 8_999)] }).slice(0, 2)).toEqual(['unattributed', 'outside_window']);
  });

  it('credits a click known from its signed id alone, without sub ids', () => {
    const { content } = decide({
      clicks: [click('a', 9_500, { record: null, link: { linkId: 'l1', programId: PROGRAM, partnerId: 'a1' } })],
    });
    expect(content.credits).toMatchObject([
      { clickId: 'a', partnerId: 'a1', recorded: false, subIds: {}, shareNumerator: 1, shareDenominator: 1 },
    ]);
  });

  it('names the evidence: the click, the customer, or the identity graph', () => {
    const evidence = (c: Partial<Conversion>, k: Partial<Click>) =>
      decide({ conversion: { ...conversion, ...c }, clicks: [click('a', 9_500, k)] }).content.credits[0]?.evidence;
    expect([
      evidence({ clickId: 'a' }, { customerIds: ['k1'] }),
      evidence({}, { customerIds: ['k0', 'k1'] }),
      evidence({}, { customerIds: ['k2'] }),
    ]).toEqual(['click_id', 'customer_id', 'identity']);
  });

  it('waits for a touch, then says that there is none', () => {
    expect(said({})).toEqual(['pending', 'awaiting_touch', undefined, []]);
    expect(said({ settled: true }).slice(0, 2)).toEqual(['unattributed', 'no_touch']);
    expect(said({ settled: true, conversion: { ...conversion, droppedEvidence: ['click_forged'] } }).slice(0, 2)).toEqual([
      'unattributed',
      'click_forged',
    ]);
  });

  it('waits for the catalog while an unknown link could win, and goes on without it when the time is over', () => {
    const unknown = click('new', 9_900, { record: null, linkNumber: 7 });
    const clicks = [unknown, click('a', 9_500)];
    expect(said({ clicks })).toEqual(['pending', 'awaiting_catalog', undefined, []]);
    expect(decide({ clicks }).waitingLinks).toEqual([7]);
    expect(said({ clicks, settled: true })).toEqual(['attributed', 'credited', 'a', ['new program_unknown']]);
    expect(said({ clicks: [unknown], settled: true })).toEqual(['unattributed', 'program_unknown', undefined, ['new program_unknown']]);
    expect(said({ clicks: [click('old', 9_400, { record: null }), click('a', 9_500)] })).toEqual([
      'attributed',
      'credited',
      'a',
      ['old program_unknown'],
    ]);
  });

  it('waits for the terms of the program', () => {
    expect(said({ clicks: [click('a', 9_500)], terms: new Map() })).toEqual(['pending', 'awaiting_catalog', undefined, []]);
    expect(decide({ clicks: [click('a', 9_500)], terms: new Map() }).programIds).toEqual([PROGRAM]);
  });

  it('takes the program from the winner where the conversion names none', () => {
    const { content } = decide({
      conversion: { ...conversion, programId: null },
      clicks: [click('a', 9_500), click('b', 9_600, { record: { ...record, programId: OTHER } })],
    });
    expect([content.programId, content.model?.programVersion]).toEqual([OTHER, 3]);
  });

  it('lists the newest twenty losers', () => {
    const clicks = Array.from({ length: 30 }, (_, i) => click(`c${String(i).padStart(2, '0')}`, 9_500 + i));
    const { content } = decide({ clicks });
    expect([content.credits[0]?.clickId, content.lost.length, content.lost[0]?.clickId, content.lost[19]?.clickId]).toEqual([
      'c29',
      20,
      'c28',
      'c09',
    ]);
  });

  describe('of a conversion that must be verified', () => {
    const pending = { ...conversion, pendingVerification: true, programId: null };
    const unverified = [[], [{ test: true }]];

    it.each(unverified.flatMap((verifications) => [false, true].map((settled) => ({ verifications, settled }))))(
      'credits nobody and waits for nothing else: %j',
      ({ verifications, settled }) => {
        const { content, ...waits } = decide({ conversion: pending, clicks: [click('a', 9_500)], verifications, settled });
        expect(content).toMatchObject({ outcome: 'pending', finerReason: 'awaiting_verification', credits: [], lost: [], model: null });
        expect(waits).toEqual({ waitingLinks: [], programIds: [] });
      },
    );

    it('decides as of any other once it is, by the touches before the conversion, to the letter', () => {
      const known = { clicks: [click('a', 9_500), click('late', 10_001)], settled: true };
      const verified = decide({ ...known, conversion: pending, verifications: [{ test: true }, { test: false }] });
      expect(verified).toEqual(decide({ ...known, conversion: { ...conversion, programId: null } }));
      expect(verified.content).not.toHaveProperty('finerReason');
      const testMode = { ...pending, test: true };
      expect(decide({ ...known, conversion: testMode, verifications: [{ test: true }] }).content.outcome).toBe('attributed');
    });
  });

  it('is a function of the set of facts: their order changes nothing', () => {
    const someClick = fc.record({
      clickId: fc.constantFrom('a', 'b', 'c', 'd', 'e'),
      linkNumber: fc.integer({ min: 1, max: 3 }),
      occurredAtMs: fc.integer({ min: 8_990, max: 10_060 }),
      customerIds: fc.subarray(['k1', 'k2']),
      record: fc.option(fc.record({ ...constants(record), bot: fc.boolean(), programId: fc.constantFrom(PROGRAM, OTHER, 'p3') })),
      link: fc.option(fc.constant({ linkId: 'l1', programId: PROGRAM, partnerId: 'a1' })),
    });
    const someReversal = fc.record({
      reversalId: fc.uuid(),
      amountMinor: fc.option(fc.integer({ min: 1, max: 6_000 })),
      currency: fc.constantFrom('EUR', 'USD', null),
      occurredAtMs: fc.integer({ min: 0, max: 3 }),
      test: fc.boolean(),
    });
    fc.assert(
      fc.property(
        fc.uniqueArray(someClick, { selector: (c) => c.clickId }),
        fc.uniqueArray(someReversal, { selector: (r) => r.reversalId }),
        fc.boolean(),
        fc.option(fc.constantFrom('a', 'b')),
        fc.option(fc.constant(PROGRAM)),
        fc.tuple(fc.boolean(), fc.array(fc.record({ test: fc.boolean() }))),
        fc.infiniteStream(fc.nat()),
        (clicks, reversals, settled, clickId, programId, [pendingVerification, verifications], noise) => {
          const shuffled = <T>(list: readonly T[]): T[] =>
            list
              .map((value) => ({ value, at: noise.next().value }))
              .sort((x, y) => x.at - y.at)
              .map(({ value }) => value);
          const facts = { clicks, reversals, verifications };
          const known: Known = { conversion: { ...conversion, clickId, programId, pendingVerification }, ...facts, settled, terms };
          const decision = attribute(known);
          expect(
            attribute({ ...known, clicks: shuffled(clicks), reversals: shuffled(reversals), verifications: shuffled(verifications) }),
          ).toEqual(decision);
          expect(decision.content.credits.length).toBe(decision.content.outcome === 'attributed' ? 1 : 0);
          const taken = decision.content.conversion.reversals.reduce((sum, r) => sum + r.amountMinor, 0);
          expect([decision.content.conversion.netAmountMinor, decision.content.conversion.netAmountMinor >= 0]).toEqual([
            conversion.amountMinor - taken,
            true,
          ]);
        },
      ),
    );
  });
});

const constants = (values: ClickRecord) =>
  Object.fromEntries(Object.entries(values).map(([key, value]) => [key, fc.constant(value)])) as {
    [K in keyof ClickRecord]: fc.Arbitrary<ClickRecord[K]>;
  };
