import type { Address } from '@baton/contracts';

/**
 * Whether an address belongs to nobody on the internet: private, loopback, link-local, carriers' own, documentation, tests, multicast, future.
 * Sources: IANA's special-purpose registries (RFC 6890, with 5737, 6598, 3849, 9637); of IPv6, all outside 2000::/3.
 */
export function isReserved(address: Address): boolean {
  return address.length === 4 ? isReservedV4(address) : isReservedV6(address);
}

function isReservedV4([a = 0, b = 0, c = 0]: Address): boolean {
  if (a === 0 || a === 10 || a === 127 || a >= 224) return true;
  if (a === 100) return b >= 64 && b < 128;
  if (a === 169) return b === 254;
  if (a === 172) return b >= 16 && b < 32;
  if (a === 192) return b === 168 || (b === 0 && (c === 0 || c === 2));
  if (a === 198) return b === 18 || b === 19 || (b === 51 && c === 100);
  return a === 203 && b === 0 && c === 113;
}

function isReservedV6([a = 0, b = 0, c = 0, d = 0]: Address): boolean {
  if (a < 0x20 || a > 0x3f) return true;
  // 2001::/23 is for protocols (Teredo, benchmarks, ORCHID), 2001:db8::/32 for books.
  if (a === 0x20 && b === 0x01) return c < 0x02 || (c === 0x0d && d === 0xb8);
  return a === 0x3f && b === 0xff && c < 0x10;
}
