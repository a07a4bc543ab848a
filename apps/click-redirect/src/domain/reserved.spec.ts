import fc from 'fast-check';
import { type Address, isWithin, parseAddress, parseNetworks } from '@baton/contracts';
import { isReserved } from './reserved';

/** IANA's special-purpose registries, as of 2025; of IPv6 what lies within 2000::/3. */
const RESERVED = parseNetworks(
  [
    ...['0.0.0.0/8', '10.0.0.0/8', '100.64.0.0/10', '127.0.0.0/8', '169.254.0.0/16', '172.16.0.0/12', '192.0.0.0/24', '192.0.2.0/24'],
    ...['192.168.0.0/16', '198.18.0.0/15', '198.51.100.0/24', '203.0.113.0/24', '224.0.0.0/4', '240.0.0.0/4'],
    ...['2001::/23', '2001:db8::/32', '3fff::/20'],
  ].join(','),
);
const GLOBAL_V6 = parseNetworks('2000::/3');

const isExpected = (address: Address): boolean => isWithin(address, RESERVED) || (address.length === 16 && !isWithin(address, GLOBAL_V6));

describe('addresses that are nobody’s on the internet', () => {
  it('are those of the registries', () => {
    const near = fc
      .tuple(fc.constantFrom(...RESERVED), fc.boolean(), fc.constantFrom(-1n, 0n, 1n))
      .map(([{ address, bits }, isAtEnd, step]) => {
        const length = BigInt(address.length * 8);
        const base = address.reduce((number, byte) => (number << 8n) | BigInt(byte), 0n);
        const edge = isAtEnd ? base + (1n << (length - BigInt(bits))) : base;
        const number = BigInt.asUintN(Number(length), edge + step);
        return address.map((_, i) => Number((number >> (length - 8n - BigInt(i) * 8n)) & 255n));
      });
    const any = fc.oneof(
      near,
      fc.tuple(fc.nat(255), fc.nat(255), fc.nat(255), fc.nat(255)),
      fc.array(fc.nat(255), { minLength: 16, maxLength: 16 }),
    );
    fc.assert(
      fc.property(any, (address) => expect(isReserved(address)).toBe(isExpected(address))),
      { numRuns: 5_000 },
    );
  });

  // Facts of Python 3.11's ipaddress: is_private, which leaves the carriers' 100.64.0.0/10 out.
  it.each([
    ['1.2.3.4', false],
    ['10.0.0.255', true],
    ['203.0.113.77', true],
    ['255.255.255.255', true],
    ['0.0.0.0', true],
    ['::1', true],
    ['fe80::1', true],
    ['fd00::1', true],
    ['2a00:1450:4001::1', false],
    ['::ffff:192.168.0.1', true],
    ['::ffff:8.8.8.8', false],
  ])('%s: %s', (ip, expected) => expect(isReserved(parseAddress(ip)!)).toBe(expected));
});
