/** An IP address as bytes: 4, or 16. An IPv4 address in IPv6 clothes (`::ffff:1.2.3.4`) is the IPv4 address. */
export type Address = readonly number[];
export interface Network {
  readonly address: Address;
  readonly bits: number;
}

/** Hops of X-Forwarded-For that are looked at. */
const HOPS_MAX = 32;
const NETWORK_BITS_V4 = 24;
const NETWORK_BITS_V6 = 48;

/** Whose request it is: the nearest address that is not one of our own proxies. Nobody else's X-Forwarded-For is believed. Null when the peer is unknown. */
export function clientAddress(peer: Address | null, forwardedFor: string | undefined, trusted: readonly Network[]): Address | null {
  let client = peer;
  if (!client || !forwardedFor) return client;
  const hops = forwardedFor.split(',').slice(-HOPS_MAX);
  for (let i = hops.length - 1; i >= 0 && isWithin(client, trusted); i--) {
    const hop = parseAddress(withoutPort((hops[i] as string).trim()));
    // What cannot be read ends the chain: the last proxy is all that is known.
    if (!hop) return client;
    client = hop;
  }
  return client;
}

/** The /24 or /48 of an address, as text. It is all of the address that other services see. */
export function networkOf(address: Address): string {
  if (address.length === 4) return `${address[0]}.${address[1]}.${address[2]}.0/${NETWORK_BITS_V4}`;
  return `${textOfV6(address.map((byte, i) => (i * 8 < NETWORK_BITS_V6 ? byte : 0)))}/${NETWORK_BITS_V6}`;
}

export const addressText = (address: Address): string => (address.length === 4 ? address.join('.') : textOfV6(address));

/** Null when the text is no address. A zone (`%eth0`) is dropped. */
export function parseAddress(text: string): Address | null {
  const zoneAt = text.indexOf('%');
  const address = zoneAt < 0 ? text : text.slice(0, zoneAt);
  if (!address.includes(':')) return parseV4(address);
  const bytes = parseV6(address);
  return bytes && isMapped(bytes) ? bytes.slice(12) : bytes;
}

/** `10.0.0.0/8,::1`: throws with what is wrong. Empty text is an empty list. */
export function parseNetworks(text: string): Network[] {
  return text
    .split(',')
    .map((part) => part.trim())
    .filter((part) => part !== '')
    .map((part) => {
      const [head = '', length] = part.split('/');
      const address = parseAddress(head);
      // A mapped network's length counts from the IPv6 front.
      const shift = head.includes(':') && address?.length === 4 ? 96 : 0;
      const bits = length === undefined ? (address?.length ?? 0) * 8 : /^\d{1,3}$/.test(length) ? Number(length) - shift : NaN;
      if (!address || !(bits >= 0 && bits <= address.length * 8))
        throw new RangeError(`"${part}" is not a network: write 10.0.0.0/8 or 2001:db8::/32`);
      return { address, bits };
    });
}

export function isWithin(address: Address, networks: readonly Network[]): boolean {
  for (const network of networks) if (covers(network, address)) return true;
  return false;
}

function covers({ address: base, bits }: Network, address: Address): boolean {
  if (base.length !== address.length) return false;
  for (let i = 0; i * 8 < bits; i++) {
    const mask = (0xff << Math.max(8 - (bits - i * 8), 0)) & 0xff;
    if ((((base[i] as number) ^ (address[i] as number)) & mask) !== 0) return false;
  }
  return true;
}

function withoutPort(hop: string): string {
  const bracketed = /^\[([^\]]*)\](?::\d+)?$/.exec(hop);
  if (bracketed) return bracketed[1] as string;
  return /^[\d.]+:\d+$/.test(hop) ? (hop.split(':')[0] as string) : hop;
}

function parseV4(text: string): number[] | null {
  const bytes: number[] = [];
  let byte = -1;
  for (let i = 0; i <= text.length; i++) {
    const code = i === text.length ? DOT : text.charCodeAt(i);
    if (code === DOT) {
      if (byte < 0 || byte > 255 || bytes.length === 4) return null;
      bytes.push(byte);
      byte = -1;
    } else if (code >= ZERO && code <= NINE && byte !== 0 && byte < 100) {
      byte = (byte < 0 ? 0 : byte * 10) + code - ZERO;
    } else return null;
  }
  return bytes.length === 4 ? bytes : null;
}
const DOT = 46;
const ZERO = 48;
const NINE = 57;

function parseV6(text: string): number[] | null {
  const halves = text.split('::');
  if (halves.length > 2) return null;
  const front = groups(halves[0] as string, halves.length === 1);
  const back = halves.length === 2 ? groups(halves[1] as string, true) : [];
  if (!front || !back) return null;
  const missing = 16 - front.length - back.length;
  if (halves.length === 1 ? missing !== 0 : missing < 2) return null;
  return [...front, ...new Array<number>(missing).fill(0), ...back];
}

/** Groups of four hex digits; the last may be written as IPv4 where the address ends there. */
function groups(text: string, isEnd: boolean): number[] | null {
  if (text === '') return [];
  const bytes: number[] = [];
  const parts = text.split(':');
  for (const [i, part] of parts.entries()) {
    const tail = isEnd && i === parts.length - 1 && part.includes('.') ? parseV4(part) : null;
    if (tail) bytes.push(...tail);
    else if (/^[0-9a-f]{1,4}$/i.test(part)) bytes.push(parseInt(part, 16) >> 8, parseInt(part, 16) & 0xff);
    else return null;
  }
  return bytes;
}

const isMapped = (bytes: readonly number[]): boolean =>
  bytes[10] === 0xff && bytes[11] === 0xff && bytes.slice(0, 10).every((byte) => byte === 0);

/** RFC 5952: lower case, no leading zeros, the longest run of zero groups (the first of equals) as `::`. */
function textOfV6(bytes: readonly number[]): string {
  const words = Array.from({ length: 8 }, (_, i) => (((bytes[i * 2] as number) << 8) | (bytes[i * 2 + 1] as number)).toString(16));
  let best = { from: 0, length: 0 };
  for (let from = 0; from < 8; from++) {
    let length = 0;
    while (from + length < 8 && words[from + length] === '0') length++;
    if (length > best.length) best = { from, length };
  }
  if (best.length < 2) return words.join(':');
  return `${words.slice(0, best.from).join(':')}::${words.slice(best.from + best.length).join(':')}`;
}
