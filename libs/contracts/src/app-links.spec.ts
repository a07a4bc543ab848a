import fc from 'fast-check';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type AppLinkComponent, appLinkComponents, FINGERPRINT, matchesPattern, opensApp } from './app-links';

interface Vectors {
  readonly patterns: readonly { readonly pattern: string; readonly string: string; readonly match: boolean }[];
  readonly file: { readonly applinks: { readonly details: readonly [{ readonly components: readonly AppLinkComponent[] }] } };
  readonly opens: readonly string[];
  readonly does_not_open: readonly string[];
}
const vectors = JSON.parse(readFileSync(join(__dirname, 'fixtures/aasa-vectors.json'), 'utf8')) as Vectors;

describe('app links', () => {
  it.each(vectors.patterns.map(({ pattern, string, match }) => [pattern, string, match] as const))(
    'the pattern %s and %s: %s',
    (pattern, text, match) => {
      expect(matchesPattern(pattern, text)).toBe(match);
    },
  );

  const [{ components }] = vectors.file.applinks.details;
  it.each(vectors.opens)('opens %s', (url) => expect(opensApp(components, url)).toBe(true));
  it.each(vectors.does_not_open)('does not open %s', (url) => expect(opensApp(components, url)).toBe(false));

  it.each([
    ['/r/*', '/r/', true],
    ['/r/*', '/r', false],
    ['/r/?*', '/r/', false],
    ['/a/*/z', '/a/b/c/z', true],
    ['/a/*/z', '/a/b/c/zz', false],
    ['/????', '/abcd', true],
    ['/????', '/abc', false],
    ['*', '', true],
    ['', '', true],
    ['', 'a', false],
    ['**b*', 'aab', true],
    ['?', '\u{1F600}', true],
  ])('%s on %j: %s', (pattern, text, match) => expect(matchesPattern(pattern, text)).toBe(match));

  it('agrees with a regular expression on any pattern and text', () => {
    const text = fc.string({ unit: fc.constantFrom('a', 'b', '/'), maxLength: 8 });
    const pattern = fc.string({ unit: fc.constantFrom('a', 'b', '/', '*', '?'), maxLength: 8 });
    fc.assert(
      fc.property(pattern, text, (p, t) => {
        expect(matchesPattern(p, t)).toBe(new RegExp(`^${p.replaceAll('?', '.').replaceAll('*', '.*')}$`).test(t));
      }),
    );
  });

  it('is not stalled by a hostile pattern', () => {
    expect(matchesPattern(`${'*a'.repeat(100)}b`, 'a'.repeat(2_000))).toBe(false);
  }, 2_000);

  it('lets the first rule that fits decide', () => {
    const rules = [{ '/': '/r/help/*', exclude: true }, { '/': '/r/*' }];
    expect(opensApp(rules, 'https://go.example/r/help/me')).toBe(false);
    expect(opensApp(rules, 'https://go.example/r/garden')).toBe(true);
    expect(opensApp([...rules].reverse(), 'https://go.example/r/help/me')).toBe(true);
  });

  it('matches a fragment by its own key and never by the path', () => {
    expect(opensApp([{ '/': '/#/market' }], 'https://go.example/#/market')).toBe(false);
    expect(opensApp([{ '#': '/market' }], 'https://go.example/#/market')).toBe(true);
  });

  it('reads queries as a whole or name by name, case as asked', () => {
    expect(opensApp([{ '?': 'a=*' }], 'https://go.example/?a=1')).toBe(true);
    expect(opensApp([{ '?': { a: '1' } }], 'https://go.example/?a=1&a=2')).toBe(false);
    expect(opensApp([{ '?': { a: '?*' } }], 'https://go.example/')).toBe(false);
    expect(opensApp([{ '/': '/R/*', caseSensitive: false }], 'https://go.example/r/x')).toBe(true);
    expect(opensApp([{ '/': '/R/*' }], 'https://go.example/r/x')).toBe(false);
  });

  it('opens links by default, keeps out who chose the web, and opens nothing for what is no web address', () => {
    expect(opensApp(appLinkComponents(), 'https://go.example/r/garden?sid=1')).toBe(true);
    expect(opensApp(appLinkComponents([]), 'https://go.example/r/garden#no_universal_links')).toBe(false);
    expect(opensApp(appLinkComponents(), 'https://go.example/touch')).toBe(false);
    expect(opensApp(appLinkComponents(['/p/*']), 'https://go.example/p/7')).toBe(true);
    for (const url of ['', 'acme://r/garden', '/r/garden', 'https://']) expect(opensApp(appLinkComponents(['*']), url)).toBe(false);
  });

  it('knows a fingerprint', () => {
    expect(FINGERPRINT.test(Array.from({ length: 32 }, () => 'C1').join(':'))).toBe(true);
    expect(FINGERPRINT.test(Array.from({ length: 31 }, () => 'C1').join(':'))).toBe(false);
  });
});
