/** A share of a whole, exact. Both parts are positive; the shares of one whole need not be in lowest terms. */
export interface Share {
  readonly numerator: bigint;
  readonly denominator: bigint;
}

/**
 * Splits an amount by shares: the largest remainder (Hamilton's method) on the absolute amount, a tie to the share that stands first,
 * the sign put back at the end. So the parts sum to the whole, each lies within one unit of its quota, and `split(-x)` is `-split(x)`.
 * Shares are weighed against their own sum.
 */
export function split(amount: bigint, shares: readonly Share[]): bigint[] {
  if (shares.length === 0) return [];
  const weights = weightsOf(shares);
  const whole = weights.reduce((sum, weight) => sum + weight, 0n);
  if (whole <= 0n) throw new RangeError('cannot split by shares that sum to nothing');
  const size = amount < 0n ? -amount : amount;
  const parts = weights.map((weight) => (size * weight) / whole);
  let left = size - parts.reduce((sum, part) => sum + part, 0n);
  for (const index of byRemainder(weights.map((weight) => (size * weight) % whole))) {
    if (left === 0n) break;
    parts[index] = (parts[index] as bigint) + 1n;
    left -= 1n;
  }
  return amount < 0n ? parts.map((part) => -part) : parts;
}

/** Over one common denominator, so that a third and two sixths weigh the same to the last bit. */
function weightsOf(shares: readonly Share[]): bigint[] {
  const common = shares.reduce((product, share) => lcm(product, share.denominator), 1n);
  return shares.map((share) => share.numerator * (common / share.denominator));
}

function byRemainder(remainders: readonly bigint[]): number[] {
  return remainders
    .map((remainder, index) => ({ remainder, index }))
    .sort((a, b) => (a.remainder === b.remainder ? a.index - b.index : a.remainder > b.remainder ? -1 : 1))
    .map(({ index }) => index);
}

const lcm = (a: bigint, b: bigint): bigint => (a / gcd(a, b)) * b;
const gcd = (a: bigint, b: bigint): bigint => (b === 0n ? a : gcd(b, a % b));
