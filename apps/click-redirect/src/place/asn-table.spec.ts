import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { parseAddress } from '@baton/contracts';
import { AsnTable } from './asn-table';

const folder = mkdtempSync(join(tmpdir(), 'asn-'));
const [v4, v6] = [join(folder, 'v4.csv'), join(folder, 'v6.csv')];
function table(linesV4: string, linesV6 = ''): AsnTable {
  writeFileSync(v4, linesV4);
  writeFileSync(v6, linesV6);
  return new AsnTable({ v4, v6 });
}
const asnOf = (of: AsnTable, ...ips: string[]) => ips.map((ip) => of.find(parseAddress(ip)!));

describe('which system announces an address', () => {
  afterAll(() => rmSync(folder, { recursive: true }));

  it('knows both ends of a range, and nothing beyond', () => {
    const of = table('16777216,16777471,13335,"Cloudflare, Inc."\n16778240,16779263,38803,Gtelecom\n');
    expect(asnOf(of, '0.255.255.255', '1.0.0.0', '1.0.0.255', '1.0.1.0', '1.0.3.255', '1.0.4.0', '1.0.7.255', '1.0.8.0')).toEqual([
      0, 13335, 13335, 0, 0, 38803, 38803, 0,
    ]);
  });

  it('knows the last address there is, and 32 bits of system', () => {
    const of = table('0,0,1,a\n4294967295,4294967295,4294967295,b\n');
    expect(asnOf(of, '0.0.0.0', '0.0.0.1', '255.255.255.254', '255.255.255.255')).toEqual([1, 0, 0, 4_294_967_295]);
  });

  it('tells IPv6 ranges apart down to the last bit, in every way of writing', () => {
    const of = table(
      '',
      [
        '::,::1,1,a',
        '2001:500:30ff::,2001:500:30ff::2f,396585,V',
        '2001:500:30ff::30,2001:500:30ff::30,396552,V',
        '2001:500:30ff::31,2001:500:30ff:ffff:ffff:ffff:ffff:ffff,396585,V',
        '2a00:0:0:1::,2a00:0:0:1:0:0:0:ffff,5,"x, y"',
        'ffff::,ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff,6,',
      ].join('\n'),
    );
    expect(asnOf(of, '::', '::1', '::2')).toEqual([1, 1, 0]);
    expect(asnOf(of, '2001:500:30ff::2f', '2001:500:30ff::30', '2001:500:30ff::31', '2001:500:3100::')).toEqual([
      396585, 396552, 396585, 0,
    ]);
    expect(asnOf(of, '2a00::ffff', '2a00:0:0:1::ffff', '2a00:0:0:1::1:0', 'ffff::', 'ffff:ffff::')).toEqual([0, 5, 0, 6, 6]);
    expect(asnOf(of, '1.2.3.4')).toEqual([0]);
  });

  it('of two ranges that overlap, the later begins where it begins', () => {
    const of = table('100,200,1,a\n150,250,2,b\n');
    expect(asnOf(of, '0.0.0.149', '0.0.0.150', '0.0.0.200', '0.0.0.250', '0.0.0.251')).toEqual([1, 2, 2, 2, 0]);
  });

  it('reads lines that lie across the pieces in which the file is read', () => {
    const line = (i: number) => `${i * 10},${i * 10 + 4},${i + 1},"${'x'.repeat(i % 97)}"`;
    const of = table(Array.from({ length: 40_000 }, (_, i) => line(i)).join('\n'));
    const text = (n: number) => [n >>> 24, (n >>> 16) & 255, (n >>> 8) & 255, n & 255].join('.');
    for (let i = 0; i < 40_000; i++) expect(asnOf(of, text(i * 10 + 4), text(i * 10 + 5))).toEqual([i + 1, 0]);
  });

  it('agrees with a search from front to back', () => {
    const ranges = fc.array(fc.tuple(fc.nat(500), fc.nat(500)), { maxLength: 20 }).map((pairs) => {
      let from = 0;
      return pairs.map(([gap, length], i) => {
        const range = { start: from + gap, end: from + gap + length, asn: i + 1 };
        from = range.end + 1;
        return range;
      });
    });
    fc.assert(
      fc.property(ranges, fc.array(fc.nat(12_000), { minLength: 1, maxLength: 50 }), (of, numbers) => {
        const read = table(of.map(({ start, end, asn }) => `${start},${end},${asn},\n`).join(''));
        for (const n of numbers.concat(of.flatMap(({ start, end }) => [start, end, end + 1])))
          expect(read.find([0, 0, n >> 8, n & 255])).toBe(of.find(({ start, end }) => start <= n && n <= end)?.asn ?? 0);
      }),
      { numRuns: 200 },
    );
  });

  it.each([
    ['1,2,3,a\n0,0,4,b\n', ''],
    ['1,2,3,a\n9,8,4,b\n', ''],
    ['1,2,3,a\nx,8,4,b\n', ''],
    ['1,2,3,a\n5;8;4\n', ''],
    ['1,2,3,a\n5,4294967296,4,b\n', ''],
    ['', '::,::1,3,a\n2001:::,2002::,4,b\n'],
    ['', '::,::1,3,a\n2001:0:0:0:0:0:0:0:1,2002::,4,b\n'],
    ['', '::,::1,3,a\n2001:1,2002::,4,b\n'],
    ['', '::,::1,3,a\n2001::1::,2002::,4,b\n'],
  ])('says where a file is broken', (linesV4, linesV6) => expect(() => table(linesV4, linesV6)).toThrow(/v[46]\.csv, line 2: /));
});
