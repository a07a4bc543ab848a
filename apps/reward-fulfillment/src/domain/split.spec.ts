import * as fc from 'fast-check';
import { halfUp } from './half-up';
import { split } from './split';

const weighed = (weights: readonly number[]) => weights.map((weight) => ({ numerator: BigInt(weight), denominator: 1n }));

describe('rounding half up', () => {
  // java.math.RoundingMode.HALF_UP, the table in its documentation: tenths in, whole numbers out.
  it.each([
    [55, 6],
    [25, 3],
    [16, 2],
    [11, 1],
    [10, 1],
    [-10, -1],
    [-11, -1],
    [-16, -2],
    [-25, -3],
    [-55, -6],
  ])('takes %d tenths to %d', (tenths, expected) => {
    expect(halfUp(BigInt(tenths), 10n)).toBe(BigInt(expected));
  });

  // Facts of dubinc/dub's calculate-sale-earnings tests: amount in minor units, per cent, commission.
  it.each([
    [1000, 20, 200],
    [1900, 10, 190],
    [7, 20, 1],
    [2, 20, 0],
    [0, 20, 0],
    [3, 20, 1],
    [15, 10, 2],
    [1, 50, 1],
    [500, 2.9, 15],
  ])('pays on %d at %d %% exactly %d', (amount, percent, expected) => {
    expect(halfUp(BigInt(amount) * BigInt(Math.round(percent * 100)), 10_000n)).toBe(BigInt(expected));
  });
});

describe('a split', () => {
  // Apportionments of martinlackner/apportionment (Balinski and Young 1975).
  it.each([
    [[14, 28, 7, 35], 12, [2, 4, 1, 5]],
    [[10, 9, 8, 8, 11, 12], 3, [1, 0, 0, 0, 1, 1]],
    [[5117, 4400, 162, 161, 160], 100, [51, 44, 2, 2, 1]],
    [[9061, 7179, 5259, 3319, 1182], 26, [9, 7, 5, 4, 1]],
    [[2, 1, 1, 2, 2], 2, [1, 0, 0, 1, 0]],
    [[12, 12, 11, 12], 3, [1, 1, 0, 1]],
  ])('of weights %j gives of %d as published', (weights, total, expected) => {
    expect(split(BigInt(total), weighed(weights))).toEqual(expected.map(BigInt));
  });

  // The money libraries' own examples (moneyphp, dinero.js, RubyMoney).
  it.each([
    [100, [1, 1, 1], [34, 33, 33]],
    [5, [7, 3], [4, 1]],
    [-5, [7, 3], [-4, -1]],
    [-1003, [50, 50], [-502, -501]],
    [5, [100, 101, 100, 100], [1, 2, 1, 1]],
  ])('of %d by %j ties to the earliest', (amount, weights, expected) => {
    expect(split(BigInt(amount), weighed(weights))).toEqual(expected.map(BigInt));
  });

  const shares = fc.array(fc.record({ numerator: fc.bigInt(1n, 1_000_000_000n), denominator: fc.bigInt(1n, 1_000_000n) }), {
    minLength: 1,
    maxLength: 12,
  });
  const amounts = fc.bigInt(-9_000_000_000_000n, 9_000_000_000_000n);

  it('sums to the whole and mirrors its sign', () => {
    fc.assert(
      fc.property(amounts, shares, (amount, by) => {
        const parts = split(amount, by);
        expect(parts.reduce((sum, part) => sum + part, 0n)).toBe(amount);
        expect(split(-amount, by)).toEqual(parts.map((part) => -part));
      }),
    );
  });

  it('gives each part its quota, rounded to one of its two neighbours', () => {
    fc.assert(
      fc.property(amounts, fc.array(fc.integer({ min: 1, max: 1_000_000 }), { minLength: 1, maxLength: 12 }), (amount, weights) => {
        const whole = BigInt(weights.reduce((a, b) => a + b, 0));
        const size = amount < 0n ? -amount : amount;
        split(size, weighed(weights)).forEach((part, i) => {
          const floor = (size * BigInt(weights[i] as number)) / whole;
          expect(part === floor || part === floor + 1n).toBe(true);
        });
      }),
    );
  });

  it('does not care how a share is written', () => {
    const thirds = { numerator: 1n, denominator: 3n };
    const sixths = { numerator: 2n, denominator: 6n };
    expect(split(100n, [thirds, sixths, thirds])).toEqual([34n, 33n, 33n]);
  });
});
