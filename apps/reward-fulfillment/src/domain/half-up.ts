/**
 * `numerator / denominator` to the nearest whole number, a half away from zero (so that `halfUp(-x) = -halfUp(x)`).
 * Whole numbers throughout: 2.9 % of 500 is 14.5 and so 15, where a binary float says 14. The denominator is positive.
 */
export function halfUp(numerator: bigint, denominator: bigint): bigint {
  if (denominator <= 0n) throw new RangeError(`cannot divide by ${denominator}: a share or a rate needs a positive denominator`);
  const size = numerator < 0n ? -numerator : numerator;
  const rounded = (2n * size + denominator) / (2n * denominator);
  return numerator < 0n ? -rounded : rounded;
}
