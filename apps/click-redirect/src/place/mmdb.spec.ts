import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { Reader, type Response } from 'mmdb-lib';
import { parseAddress } from '@baton/contracts';
import { countryOf, INSTALLED_PLACES } from '../place.store';
import { MmdbTable } from './mmdb';

type Row = [ip: string, country: string | null, asn: number | null, anonymous: string[] | null];
const fixture = (name: string): string => join(__dirname, 'fixtures', name);
const { rows } = JSON.parse(readFileSync(fixture('maxmind-test-data.json'), 'utf8')) as { rows: Row[] };
const COUNTRY = fixture('GeoIP2-Country-Test.mmdb');

/** The same tree in records of another width. */
function inWidth(path: string, bits: 24 | 32): Buffer {
  const file = readFileSync(path);
  const { nodeCount, searchTreeSize } = new Reader(file).metadata;
  const tree = Buffer.alloc((nodeCount * bits) / 4);
  for (let node = 0; node < nodeCount; node++) {
    const at = node * 7;
    const middle = file[at + 3] as number;
    const records = [((middle & 0xf0) << 20) | file.readUIntBE(at, 3), ((middle & 0x0f) << 24) | file.readUIntBE(at + 4, 3)];
    records.forEach((record, i) => tree.writeUIntBE(record, (node * bits) / 4 + (i * bits) / 8, bits / 8));
  }
  const rest = Buffer.from(file.subarray(searchTreeSize));
  rest[rest.lastIndexOf('record_size') + 'record_size'.length + 1] = bits;
  return Buffer.concat([tree, rest]);
}

const text = (value: string): Buffer => Buffer.concat([Buffer.from([(2 << 5) | value.length]), Buffer.from(value)]);
const whole = (value: number): Buffer => Buffer.from([(6 << 5) | 4, value >>> 24, value >>> 16, value >>> 8, value]);
const map = (of: Record<string, Buffer>): Buffer =>
  Buffer.concat([Buffer.from([(7 << 5) | Object.keys(of).length]), ...Object.entries(of).flatMap(([key, value]) => [text(key), value])]);

/** One node whose records of 28 bits differ in their highest four alone. */
function withFarRecords(): Buffer {
  const [left, right] = [1 + 16 + (1 << 24), 1 + 16 + (1 << 25)];
  const tree = Buffer.from([left >>> 16, left >>> 8, left, ((left >>> 24) << 4) | (right >>> 24), right >>> 16, right >>> 8, right]);
  const data = Buffer.alloc((1 << 25) + 32);
  map({ country_code: text('AT') }).copy(data, 1 << 24);
  map({ country_code: text('DE') }).copy(data, 1 << 25);
  const metadata = { node_count: whole(1), record_size: whole(28), ip_version: whole(4), binary_format_major_version: whole(2) };
  const more = {
    database_type: text('t'),
    build_epoch: whole(0),
    binary_format_minor_version: whole(0),
    languages: map({}),
    description: map({}),
  };
  return Buffer.concat([tree, Buffer.alloc(16), data, Buffer.from('\xab\xcd\xefMaxMind.com', 'latin1'), map({ ...metadata, ...more })]);
}

describe('a file of MaxMind’s format', () => {
  const folder = mkdtempSync(join(tmpdir(), 'mmdb-'));
  afterAll(() => rmSync(folder, { recursive: true }));

  it('gives the country that MaxMind’s own readers give', () => {
    const table = new MmdbTable(COUNTRY, countryOf);
    expect(rows.map(([ip]) => [ip, table.find(parseAddress(ip)!)])).toEqual(rows.map(([ip, country]) => [ip, country]));
  });

  it('gives the system, too', () => {
    const table = new MmdbTable(
      fixture('GeoLite2-ASN-Test.mmdb'),
      (record) => (record as { autonomous_system_number?: number }).autonomous_system_number ?? null,
    );
    expect(rows.map(([ip]) => [ip, table.find(parseAddress(ip)!)])).toEqual(rows.map(([ip, , asn]) => [ip, asn]));
  });

  it('gives the flags of anonymous networks, of single addresses as well', () => {
    const table = new MmdbTable(fixture('GeoIP2-Anonymous-IP-Test.mmdb'), (record) => Object.keys(record as object).sort());
    const known = rows.filter(([, , , anonymous]) => anonymous?.length);
    expect(known.map(([ip]) => [ip, table.find(parseAddress(ip)!)])).toEqual(known.map(([ip, , , anonymous]) => [ip, anonymous]));
  });

  it('reads records of 24, 28 and 32 bits', () => {
    for (const bits of [24, 32] as const) {
      const path = join(folder, `${bits}.mmdb`);
      writeFileSync(path, inWidth(COUNTRY, bits));
      const table = new MmdbTable(path, countryOf);
      expect(rows.map(([ip]) => table.find(parseAddress(ip)!))).toEqual(rows.map(([, country]) => country));
    }
  });

  it('reads a file so large that the fourth byte of a record counts', () => {
    const path = join(folder, 'far.mmdb');
    writeFileSync(path, withFarRecords());
    const table = new MmdbTable(path, countryOf);
    expect(['1.2.3.4', '200.2.3.4', '2001:db8::1'].map((ip) => table.find(parseAddress(ip)!))).toEqual(['AT', 'DE', null]);
  });

  it('gives what mmdb-lib gives for any address of the file of countries', () => {
    const reader = new Reader<Response>(readFileSync(INSTALLED_PLACES.country));
    const table = new MmdbTable(INSTALLED_PLACES.country, (record) => (record as { country_code: string }).country_code);
    const isV4 = fc.ipV4();
    const isGlobalV6 = fc
      .tuple(fc.constantFrom('2001', '2400', '2600', '2800', '2a00', '2a02', '2c0f'), fc.nat(0xffff), fc.nat(0xffff))
      .map(([a, b, c]) => `${a}:${b.toString(16)}:${c.toString(16)}::1`);
    fc.assert(
      fc.property(fc.oneof(isV4, isGlobalV6, fc.ipV6()), (ip) => {
        fc.pre(!/\d\.\d.*:|:.*\d\.\d|^::/.test(ip));
        expect(table.find(parseAddress(ip)!)).toBe((reader.get(ip) as unknown as { country_code: string } | null)?.country_code ?? null);
      }),
      { numRuns: 3_000 },
    );
  });

  it('is said to be none when it is none', () => {
    expect(() => new MmdbTable(fixture('maxmind-test-data.json'), countryOf)).toThrow();
  });
});
