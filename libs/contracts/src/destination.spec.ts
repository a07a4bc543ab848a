import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { checkDestination, DESTINATION_MAX_LENGTH } from './destination';

interface Payloads {
  readonly refused: string[];
  readonly others: string[];
  readonly crlf: string[];
}
const payloads = JSON.parse(readFileSync(join(__dirname, 'fixtures/redirect-payloads.json'), 'utf8')) as Payloads;
const own = { hosts: ['app.example.test'], allowHttp: false };
const shop = { hosts: ['shop.example', '*.shop.example', 'bücher.example', 'stage.example:8443'], allowHttp: false };
const hrefOf = (text: string, rules = shop): string | null => {
  const check = checkDestination(text, rules);
  return check.kind === 'ok' ? check.href : null;
};

describe('a link may lead only where its program allows', () => {
  it('refuses every known redirect payload', () => {
    expect(payloads.refused).toHaveLength(219);
    expect(payloads.refused.filter((payload) => hrefOf(payload, own) !== null)).toEqual([]);
  });

  it('takes of the harmless ones those that are whole URLs of the own host, and no other', () => {
    expect(payloads.others.filter((payload) => hrefOf(payload, own) !== null)).toEqual([
      'https://app.example.test/ok',
      'https://APP.EXAMPLE.TEST/ok',
      'https://app.example.test:443/ok',
    ]);
  });

  it('refuses header injection in path, query and fragment, unless the escape is itself escaped', () => {
    const taken = payloads.crlf.filter((payload) =>
      [payload, `/?x=${payload}`, `/#${payload}`].some((part) => hrefOf(`https://shop.example${part}`) !== null),
    );
    // Only a receiver that decodes twice would find a line break in these; it is not in what we send.
    expect(taken).toEqual([
      '/%25%30%61Set-Cookie:crlf=injection',
      '/%25%30aSet-Cookie:crlf=injection',
      '/%250aSet-Cookie:crlf=injection',
      '/%25250aSet-Cookie:crlf=injection',
      '/%u000aSet-Cookie:crlf=injection',
    ]);
  });

  it.each([
    ['another host', 'https://evil.example/'],
    ['the host as a prefix', 'https://shop.example.evil.example/'],
    ['the host as a suffix without a dot', 'https://myshop.example/'],
    ['a trailing dot', 'https://shop.example./'],
    ['user info', 'https://shop.example@evil.example/'],
    ['user info for the right host', 'https://a:b@shop.example/'],
    ['empty user info', 'https://@shop.example/'],
    ['a backslash', 'https://shop.example\\@evil.example/'],
    ['plain http', 'http://shop.example/'],
    ['javascript', 'javascript://shop.example/%250aalert(1)'],
    ['data', 'data:text/html,x'],
    ['no slashes', 'https:shop.example/'],
    ['three slashes', 'https:///shop.example/'],
    ['leading white space', ' https://shop.example/'],
    ['a tab inside', 'https://shop.\texample/'],
    ['an escaped line break', 'https://shop.example/%0d%0aSet-Cookie:a=b'],
    ['an escaped C1 control', 'https://shop.example/%C2%85'],
    ['half a character', 'https://shop.example/\ud800'],
    ['a port that the list does not name', 'https://shop.example:8443/'],
    ['another port than the list names', 'https://stage.example/'],
    ['too many characters', `https://shop.example/${'a'.repeat(DESTINATION_MAX_LENGTH)}`],
    ['too many once escaped', `https://shop.example/${'ü'.repeat(1000)}`],
    ['a macro in its host', 'https://{sub1}.shop.example/'],
    ['an escaped macro in its host', 'https://%7Bsub1%7D.shop.example/'],
    ['a macro for its port', 'https://stage.example:{sub1}/'],
    ['nothing', ''],
  ])('refuses %s, and says why', (_name, text) => {
    const check = checkDestination(text, shop);
    expect(check).toEqual({ kind: 'refused', reasons: expect.arrayContaining([expect.any(String)]) as string[] });
  });

  it.each([
    ['https://shop.example', 'https://shop.example/'],
    ['HTTPS://SHOP.Example/Path?a=%20+%zz&&b#/x?y', 'https://shop.example/Path?a=%20+%zz&&b#/x?y'],
    ['https://www.shop.example/', 'https://www.shop.example/'],
    ['https://a.b.shop.example/', 'https://a.b.shop.example/'],
    ['https://bücher.example/ü', 'https://xn--bcher-kva.example/%C3%BC'],
    ['https://stage.example:8443/x', 'https://stage.example:8443/x'],
    ['https://shop.example/?next=https%3A%2F%2Fother.example', 'https://shop.example/?next=https%3A%2F%2Fother.example'],
    ['https://shop.example/?mail=a@b.example', 'https://shop.example/?mail=a@b.example'],
  ])('takes %s', (text, href) => expect(hrefOf(text)).toBe(href));

  it('reads the list as hosts, not as patterns', () => {
    const rules = (host: string) => ({ hosts: [host], allowHttp: true });
    expect(hrefOf('https://evil.example/', rules('*'))).toBeNull();
    expect(hrefOf('https://evil.example/', rules('*.'))).toBeNull();
    expect(hrefOf('https://evil.example/', rules('https://evil.example'))).toBeNull();
    expect(hrefOf('https://shop.example/', rules('*.shop.example'))).toBeNull();
    expect(hrefOf('http://127.0.0.1/', rules('*.0.0.1'))).toBeNull();
    expect(hrefOf('http://127.0.0.1:4000/', rules('127.0.0.1:4000'))).toBe('http://127.0.0.1:4000/');
    expect(hrefOf('http://shop.example/', rules('SHOP.example'))).toBe('http://shop.example/');
  });

  it('names every problem at once', () => {
    const check = checkDestination('http://a@evil.example/', shop);
    expect(check.kind === 'refused' && check.reasons).toHaveLength(3);
  });

  it('whatever the text: what it takes is read the same again, and stays on the list', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.webUrl({ withQueryParameters: true, withFragments: true }),
          fc.string({ unit: 'binary' }),
          fc.string().map((rest) => `https://shop.example/${rest}`),
        ),
        (text) => {
          const href = hrefOf(text, shop);
          if (href === null) return;
          expect(hrefOf(href, shop)).toBe(href);
          expect(new URL(href).hostname).toMatch(/(^|\.)shop\.example$/);
          // A Location header holds printable ASCII alone.
          expect(href).toMatch(/^[\x21-\x7e]+$/);
        },
      ),
      { numRuns: 2_000 },
    );
  });
});
