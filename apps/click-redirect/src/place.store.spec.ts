import { readFileSync } from 'node:fs';
import { parseAddress } from '@baton/contracts';
import { isReserved } from './domain/reserved';
import { AsnTable } from './place/asn-table';
import { MmdbTable } from './place/mmdb';
import { countryOf, FilePlaceStore, INSTALLED_PLACES, type Place } from './place.store';

const NOWHERE: Place = { country: null, asn: null, hosting: false, vpn: false };

describe('where an address is', () => {
  let places: FilePlaceStore;
  const at = (ip: string): Place => places.lookup(parseAddress(ip)!);
  beforeAll(() => {
    places = new FilePlaceStore();
  });

  it.each([
    ['8.8.8.8', 'US', 15169],
    ['::ffff:8.8.8.8', 'US', 15169],
    ['2606:4700:4700::1111', 'US', 13335],
    ['87.128.0.1', 'DE', 3320],
    ['202.12.27.33', 'JP', 7500],
  ])('%s is in %s, announced by %d', (ip, country, asn) => expect(at(ip)).toMatchObject({ country, asn }));

  it('knows the servers of a data centre and the exits of a VPN', () => {
    expect(at('52.1.1.1')).toEqual({ country: 'US', asn: 16509, hosting: true, vpn: false });
    expect(at('2a01:4f8::1')).toEqual({ country: 'DE', asn: 24940, hosting: true, vpn: false });
    expect(at('185.216.34.1')).toMatchObject({ asn: 9009, hosting: true, vpn: true });
  });

  it('takes nobody at home for a server: not carriers, not those behind a private relay', () => {
    const isp = ['24.0.0.1', '87.128.0.1', '90.0.0.1', '2003::1', '102.88.0.1', '172.224.226.0', '2a02:26f7:c000::1'];
    expect(isp.map((ip) => [ip, at(ip).asn === null, at(ip).hosting, at(ip).vpn])).toEqual(isp.map((ip) => [ip, false, false, false]));
  });

  it.each([
    '127.0.0.1',
    '10.1.2.3',
    '172.16.0.1',
    '192.168.1.1',
    '100.64.0.1',
    '169.254.1.1',
    '203.0.113.7',
    '::1',
    'fe80::1',
    'fd00::1',
    '2001:db8::1',
  ])('%s is nowhere, whatever the files say', (ip) => expect(at(ip)).toEqual(NOWHERE));

  it('gives one place for all its visitors', () => expect(at('8.8.8.8')).toBe(at('8.8.4.4')));

  it('gives each visitor their own place, however many came before', () => {
    const countries = new MmdbTable(INSTALLED_PLACES.country, countryOf);
    const systems = new AsnTable({ v4: INSTALLED_PLACES.asnV4, v6: INSTALLED_PLACES.asnV6 });
    for (let i = 0; i < 200_000; i++) {
      const address = [1 + (i % 222), (i * 7) & 255, (i * 31) & 255, 1];
      if (isReserved(address)) continue;
      const { country, asn } = places.lookup(address);
      if (country !== countries.find(address) || asn !== (systems.find(address) || null))
        throw new Error(`${address.join('.')}: ${country}, ${asn}`);
    }
  });

  it('agrees with each 97th line of the files, at both ends', () => {
    const dotted = (n: number): string => [n >>> 24, (n >>> 16) & 255, (n >>> 8) & 255, n & 255].join('.');
    const sample = (path: string) =>
      readFileSync(path, 'utf8')
        .split('\n')
        .filter((line, i) => line !== '' && i % 97 === 0);
    let compared = 0;
    for (const [path, text] of [
      [INSTALLED_PLACES.asnV4, (field: string) => dotted(Number(field))],
      [INSTALLED_PLACES.asnV6, (field: string) => field],
    ] as const)
      for (const line of sample(path)) {
        const [start = '', end = '', asn] = line.split(',');
        const found = [at(text(start)).asn, at(text(end)).asn];
        // What is reserved stays nowhere, though somebody announces it.
        if (found[0] === null && found[1] === null) continue;
        compared++;
        if (found[0] !== Number(asn) || found[1] !== Number(asn)) throw new Error(`${line}: found ${found.join(' and ')}`);
      }
    expect(compared).toBeGreaterThan(5_000);
  });

  it.each([
    [{ country_code: 'AT' }, 'AT'],
    [{ country: { iso_code: 'AT' }, registered_country: { iso_code: 'DE' } }, 'AT'],
    [{ registered_country: { iso_code: 'DE' } }, null],
    [{ country_code: 'ZZ' }, null],
    [{ country_code: '' }, null],
    [{}, null],
  ])('of the record %j it takes %s', (record, country) => expect(countryOf(record)).toBe(country));
});
