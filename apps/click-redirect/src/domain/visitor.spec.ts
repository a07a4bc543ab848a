import fc from 'fast-check';
import { isPrefetch, languageOf, referrerHostOf, visitorIdIn } from './visitor';

describe('what headers say', () => {
  it.each([
    [{ 'sec-purpose': 'prefetch;prerender' }, true],
    [{ 'sec-purpose': 'prefetch;anonymous-client-ip' }, true],
    [{ purpose: 'prefetch' }, true],
    [{ 'x-moz': 'prefetch' }, true],
    [{ 'x-purpose': ['preview'] }, true],
    [{ 'sec-purpose': 'navigate', 'sec-fetch-mode': 'navigate' }, false],
    [{}, false],
  ])('%j: prefetch %s', (headers, prefetch) => expect(isPrefetch(headers)).toBe(prefetch));

  it.each([
    ['https://Blog.Example/post?x=1', 'blog.example'],
    ['HTTPS://blog.example:8443', 'blog.example'],
    ['https://me:secret@blog.example/', 'blog.example'],
    ['http://bücher.example/', 'xn--bcher-kva.example'],
    ['http://0x7f.1/', '127.0.0.1'],
    ['http://[2001:DB8::1]/', '[2001:db8::1]'],
    ['android-app://com.example/', null],
    ['javascript:alert(1)', null],
    ['https://', null],
    ['', null],
    [undefined, null],
    [`https://${'a'.repeat(300)}/`, null],
  ])('referrer %s', (referer, host) => expect(referrerHostOf(referer)).toBe(host));

  it('reads the host of any referrer as WHATWG URL does', () => {
    const expected = (url: string): string | null => {
      try {
        const { hostname } = new URL(url);
        return hostname === '' || hostname.length > 253 ? null : hostname;
      } catch {
        return null;
      }
    };
    const part = fc.oneof(
      fc.string({ unit: fc.constantFrom(...'aZ09-_.:@%/?#\\[]xn ü\t'), maxLength: 12 }),
      fc.constantFrom('xn--', '0x', '..', '%41', 'example', '.com', '1.2.3.4', '256', ':443', 'xn--bcher-kva', 'ß', 'a'.repeat(64), '/'),
    );
    const anyUrl = fc
      .tuple(fc.constantFrom('http://', 'https://', 'HTTP://', 'hTtPs://'), fc.array(part, { maxLength: 6 }))
      .map(([scheme, parts]) => scheme + parts.join(''));
    fc.assert(
      fc.property(fc.oneof(anyUrl, fc.webUrl()), (url) => expect(referrerHostOf(url)).toBe(expected(url))),
      { numRuns: 20_000 },
    );
  });

  it.each([
    ['de-AT,de;q=0.9,en;q=0.5', 'de-AT'],
    ['en', 'en'],
    ['*', null],
    ['"><script>', null],
    ['abcdefghi', null],
    [undefined, null],
  ])('language %s', (header, language) => expect(languageOf(header)).toBe(language));
});

describe('the visitor’s cookie', () => {
  const ID = 'Zm9vYmFyYmF6cXV4MDEyMw';

  it.each([
    [`baton_vid=${ID}`, ID],
    [`_ga=GA1.1.1; baton_vid=${ID}; x=y`, ID],
    [`a=b;baton_vid=${ID} ;c`, ID],
    [`baton_vid=short; baton_vid=${ID}`, ID],
    [`baton_vid=${ID}; baton_vid=${ID.replace('Z', 'A')}`, ID],
    [`baton_vid=${ID}x`, null],
    [`baton_vid="${ID}"`, null],
    [`baton_vid=${ID.slice(1)}=`, null],
    [`xbaton_vid=${ID}`, null],
    [`a=baton_vid=${ID}`, null],
    [`Baton_vid=${ID}`, null],
    ['baton_vid=', null],
    [undefined, null],
  ])('%s: %s', (cookie, id) => expect(visitorIdIn(cookie)).toBe(id));

  it('is the first well-formed one of its name, whatever lies around it', () => {
    const expected = (cookie: string): string | null =>
      cookie
        .split(';')
        .map((pair) => pair.replace(/^[ \t]+|[ \t]+$/g, ''))
        .filter((pair) => /^baton_vid=[A-Za-z0-9_-]{22}$/.test(pair))
        .map((pair) => pair.slice('baton_vid='.length))[0] ?? null;
    const piece = fc.oneof(
      fc.constantFrom('baton_vid=', `baton_vid=${ID}`, ID, ';', '; ', ' ', '\t', '=', 'baton_vid', '"'),
      fc.string({ unit: fc.constantFrom(...'aZ0-_=; '), maxLength: 24 }),
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 12 }), (pieces) => expect(visitorIdIn(pieces.join(''))).toBe(expected(pieces.join('')))),
      { numRuns: 10_000 },
    );
  });
});
