import { AttributionRevised, type AttributionRevisedData } from '@baton/contracts';
import fc from 'fast-check';
import type { Facts } from './facts';
import { judge, sameJudgement } from './judge';

const clickAt = Date.parse('2026-01-31T12:00:00.000Z');
const facts = (
  change: {
    afterMs?: number;
    type?: AttributionRevisedData['conversion']['type'];
    sameAddress?: number;
    sameNetwork?: number;
    credited?: boolean;
  } = {},
): Facts => {
  const { afterMs = 600_000, type = 'sale', sameAddress = 1, sameNetwork = 1, credited = true } = change;
  const attribution = structuredClone(AttributionRevised.sample);
  attribution.conversion.type = type;
  attribution.conversion.occurredAt = new Date(clickAt + afterMs).toISOString();
  return { attribution, credit: credited ? attribution.credits[0] : undefined, counts: { sameAddress, sameNetwork } };
};

describe('judging an attribution', () => {
  it('approves what nothing speaks against', () => {
    expect(judge(facts())).toEqual({ decision: 'approved', score: 0, reasons: [] });
  });

  it.each([
    ['sale', 1_999, 'held'],
    ['sale', 2_000, 'approved'],
    ['signup', 999, 'held'],
    ['signup', 1_000, 'approved'],
    ['lead', 0, 'held'],
    ['sale', -1_000, 'approved'],
  ] as const)('a %s %i ms after the click is %s', (type, afterMs, decision) => {
    expect(judge(facts({ type, afterMs })).decision).toBe(decision);
  });

  it.each([
    [19, 299, 'approved'],
    [20, 20, 'held'],
    [1, 300, 'held'],
  ])('%i clicks from the address and %i from the network are %s', (sameAddress, sameNetwork, decision) => {
    expect(judge(facts({ sameAddress, sameNetwork })).decision).toBe(decision);
  });

  it('says which rule saw what', () => {
    expect(judge(facts({ afterMs: 500, sameAddress: 25, sameNetwork: 25 }))).toEqual({
      decision: 'held',
      score: 100,
      reasons: [
        {
          rule: 'click-burst',
          ruleVersion: 1,
          points: 50,
          detail: { same_address: '25', same_network: '25', window_minutes: '10', at_least: '20' },
        },
        { rule: 'too-fast', ruleVersion: 1, points: 50, detail: { seconds_after_click: '0.500', at_least_seconds: '2.000' } },
      ],
    });
  });

  it('has nothing to say where nobody is credited', () => {
    expect(judge(facts({ credited: false, afterMs: 0, sameAddress: 1_000, sameNetwork: 1_000 })).decision).toBe('approved');
  });

  it('scores the sum of its reasons, holds on more clicks wherever it holds on fewer, and always says the same', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: -10_000, max: 10_000 }),
        fc.nat(1_000),
        fc.nat(1_000),
        fc.nat(100),
        (afterMs, sameAddress, extra, more) => {
          const one = judge(facts({ afterMs, sameAddress, sameNetwork: sameAddress + extra }));
          const again = judge(facts({ afterMs, sameAddress, sameNetwork: sameAddress + extra }));
          const worse = judge(facts({ afterMs, sameAddress: sameAddress + more, sameNetwork: sameAddress + extra + more }));
          expect(one.score).toBe(one.reasons.reduce((sum, r) => sum + r.points, 0));
          expect(sameJudgement(one, again)).toBe(true);
          expect(worse.score).toBeGreaterThanOrEqual(one.score);
        },
      ),
    );
  });
});
