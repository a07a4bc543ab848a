import fc from 'fast-check';
import { deepLinkOf } from './deep-link';

describe('what an app opens', () => {
  it.each([
    ['acme://products/7', 'acme://products/7'],
    ['ACME://products/7?a=b&c=d#e', 'acme://products/7?a=b&c=d#e'],
    ['acme://caf\u00e9/\u00e9 x', 'acme://caf%C3%A9/%C3%A9%20x'],
    ['acme:products', 'acme:products'],
    ["acme://products/7?q=O'Neil<b>", 'acme://products/7?q=O%27Neil%3Cb%3E'],
    ['acme://products/7\\`', 'acme://products/7%5C%60'],
  ])('%s is sent as %s', (text, sent) => expect(deepLinkOf(text, ['other', 'Acme'])).toBe(sent));

  it.each([
    ['a scheme that the program does not name', 'evil://products/7'],
    ['a script', 'javascript://x/%250aalert(1)'],
    ['a page', 'https://evil.example/'],
    ['data', 'data://text/html,x'],
    ['a line break', 'acme://products/7\r\nSet-Cookie: a=b'],
    ['an escaped line break', 'acme://products/%0d%0aSet-Cookie:a=b'],
    ['a space in front', ' acme://products/7'],
    ['half a character', 'acme://products/\ud800'],
    ['nothing', ''],
  ])('refuses %s', (_name, text) => expect(deepLinkOf(text, ['acme', 'javascript', 'https', 'data'])).toBeNull());

  it('whatever the text: printable, without what ends an attribute, of the scheme that was named', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 60 }), (rest) => {
        const sent = deepLinkOf(`acme:${rest}`, ['acme']);
        if (sent === null) return;
        expect(sent).toMatch(/^acme:[\x21-\x7e]*$/);
        expect(sent).not.toMatch(/["'<>\\`]/);
        expect(deepLinkOf(sent, ['acme'])).toBe(sent);
      }),
      { numRuns: 2_000 },
    );
  });
});
