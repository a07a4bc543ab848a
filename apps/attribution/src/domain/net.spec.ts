import type { Conversion } from './facts';
import { netOf } from './net';

const conversion = { amountMinor: 10_000, currency: 'EUR', test: false } as Conversion;
const reversal = (reversalId: string, occurredAtMs: number, amountMinor: number | null, more = {}) => ({
  reversalId,
  occurredAtMs,
  amountMinor,
  currency: 'EUR',
  test: false,
  ...more,
});
const taken = (...reversals: ReturnType<typeof reversal>[]) => {
  const net = netOf(conversion, reversals);
  return [net.netAmountMinor, net.reversals.map((r) => `${r.reversalId} ${r.amountMinor}`)];
};

describe('the net amount', () => {
  it('is cumulative and never negative', () => {
    expect(taken(reversal('b', 2, 7_000), reversal('a', 1, 4_000))).toEqual([0, ['a 4000', 'b 6000']]);
  });
  it('loses all that is left to a whole reversal, whatever came before or comes after', () => {
    expect(taken(reversal('c', 3, 500), reversal('b', 2, null), reversal('a', 1, 4_000))).toEqual([0, ['a 4000', 'b 6000', 'c 0']]);
  });
  it('orders reversals of the same time by id', () => {
    expect(taken(reversal('b', 1, null), reversal('a', 1, 1))).toEqual([0, ['a 1', 'b 9999']]);
  });
  it('is untouched by another currency, and by a test reversal of a live conversion', () => {
    expect(
      taken(
        reversal('a', 1, 1_000, { currency: 'USD' }),
        reversal('b', 2, 1_000, { test: true }),
        reversal('c', 3, 1_000, { currency: null }),
      ),
    ).toEqual([9_000, ['a 0', 'b 0', 'c 1000']]);
  });
});
