import { readFileSync } from 'node:fs';
import { BlockList, isIP } from 'node:net';
import { join } from 'node:path';
import fc from 'fast-check';
import { addressText, clientAddress, isWithin, networkOf, parseAddress, parseNetworks } from './address';

const oracle = JSON.parse(readFileSync(join(__dirname, 'fixtures/networks.json'), 'utf8')) as { cases: [string, string][] };
const network = (text: string): string | null => {
  const address = parseAddress(text);
  return address && networkOf(address);
};

describe('addresses', () => {
  it.each(oracle.cases)('%s lies in %s', (ip, expected) => expect(network(ip)).toBe(expected));

  it('reads what Node takes for an address, and nothing else', () => {
    const text = fc.oneof(
      fc.ipV4(),
      fc.ipV6(),
      fc.string({ unit: fc.constantFrom(...'0123456789abcdf:.'), maxLength: 40 }),
      fc.ipV4().map((ip) => `::ffff:${ip}`),
    );
    fc.assert(
      fc.property(text, (ip) => expect(parseAddress(ip) !== null).toBe(isIP(ip) !== 0)),
      { numRuns: 3_000 },
    );
  });

  it('writes an address so that it reads as the same one', () => {
    fc.assert(
      fc.property(fc.oneof(fc.ipV4(), fc.ipV6()), (ip) => {
        expect(parseAddress(addressText(parseAddress(ip)!))).toEqual(parseAddress(ip));
      }),
    );
    expect(addressText(parseAddress('::ffff:192.0.2.1')!)).toBe('192.0.2.1');
  });

  it('is within a network exactly when Node says so', () => {
    const v4 = fc.tuple(fc.ipV4(), fc.nat(32), fc.ipV4()).map(([base, bits, ip]) => ({ base, bits, ip, family: 'ipv4' as const }));
    const v6 = fc.tuple(fc.ipV6(), fc.nat(128), fc.ipV6()).map(([base, bits, ip]) => ({ base, bits, ip, family: 'ipv6' as const }));
    const near = fc.oneof(v4, v6).map((c) => ({ ...c, ip: c.base }));
    fc.assert(
      fc.property(fc.oneof(v4, v6, near), ({ base, bits, ip, family }) => {
        fc.pre(!/^::ffff:/i.test(base) && !/\d\.\d.*:|:.*\d\.\d/.test(base + ip));
        const list = new BlockList();
        list.addSubnet(base, bits, family);
        expect(isWithin(parseAddress(ip)!, parseNetworks(`${base}/${bits}`))).toBe(list.check(ip, family));
      }),
      { numRuns: 2_000 },
    );
  });

  it('refuses what is no network, and says which', () => {
    for (const text of ['10.0.0.0/33', '10.0.0/8', 'proxy', '::/129', '10.0.0.0/-1', '10.0.0.0/'])
      expect(() => parseNetworks(text)).toThrow(text);
    expect(parseNetworks(' 10.0.0.0/8 , ::1,')).toHaveLength(2);
    expect(parseNetworks('')).toEqual([]);
  });
});

describe('whose request it is', () => {
  const trusted = parseNetworks('10.0.0.0/8, 127.0.0.1, fd00::/8');
  const client = (peer: string, forwarded?: string) => clientAddress(parseAddress(peer), forwarded, trusted)?.join('.');

  it('believes X-Forwarded-For from our own proxies alone', () => {
    expect(client('203.0.113.9', '198.51.100.1')).toBe('203.0.113.9');
    expect(client('10.0.0.1', '198.51.100.1')).toBe('198.51.100.1');
    expect(client('::ffff:10.0.0.1', '198.51.100.1')).toBe('198.51.100.1');
    expect(client('10.0.0.1')).toBe('10.0.0.1');
  });

  it('takes the nearest address that is not a proxy: what a visitor wrote in front of it is not believed', () => {
    expect(client('10.0.0.1', '1.1.1.1, 198.51.100.1, 10.9.9.9')).toBe('198.51.100.1');
    expect(client('10.0.0.1', '1.1.1.1, rubbish, 10.9.9.9')).toBe('10.9.9.9');
    expect(client('10.0.0.1', '198.51.100.1:4711')).toBe('198.51.100.1');
    expect(client('10.0.0.1', '[2001:db8::1]:443')).toBe(parseAddress('2001:db8::1')!.join('.'));
    expect(client('10.0.0.1', '10.0.0.3, 10.0.0.2')).toBe('10.0.0.3');
    expect(client('10.0.0.1', ',,')).toBe('10.0.0.1');
  });
});
