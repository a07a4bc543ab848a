import fc from 'fast-check';
import { isProgramsOrigin, keptPage, maySpeakFor, PAGE_MAX_LENGTH, pageAt } from './page';

const kept = (text: string) => {
  const page = pageAt(text);
  return page && keptPage(page);
};
const RULES = { hosts: ['shop.example', '*.eu.shop.example', 'shop.example:8443'], allowHttp: false };

describe('the page of a touch', () => {
  it.each([
    ['https://shop.example/p?a=1&b=%20+x&&c#part', 'https://shop.example/p?a=1&b=%20+x&c'],
    ['https://ann:secret@Shop.example:443/', 'https://shop.example/'],
    [
      'https://shop.example/?email=a&Phone_Number=1&utm_source=x&access_token=z&first-name=q&name=w&iban=1',
      'https://shop.example/?utm_source=x',
    ],
    ['https://shop.example/?who=ann%40mail.example&x=1', 'https://shop.example/?x=1'],
    ['https://shop.example/?%65mail=x', 'https://shop.example/'],
    ['https://shop.example/leave/ann@mail.example/now', 'https://shop.example/leave/removed/now'],
    ['https://shop.example/@ann.lee/%zz?next=/@ann.lee', 'https://shop.example/@ann.lee/%zz?next=/@ann.lee'],
    ['https://shop.example/é\n?q=\u0000z', 'https://shop.example/%C3%A9?q=%00z'],
    ['javascript:alert(1)', null],
    ['//shop.example/', null],
    ['https://', null],
  ])('%j is kept as %j', (text, page) => expect(kept(text)).toBe(page));

  // RFC 5322 lets a slash stand before the @. Nobody has such an address, and many pages are called `/@ann.lee`.
  const mails = fc.emailAddress().filter((mail) => !mail.includes('/@'));

  it('is short, ASCII, and without fragment, user info and mail addresses, whatever comes', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 3_000 }), mails, mails, (text, mail, user) => {
        const path = text.replace(/[?#@]/g, '');
        const page = kept(`https://${encodeURIComponent(user)}@shop.example/${path}?a&m=${encodeURIComponent(mail)}#${mail}`) as string;
        expect(page.length).toBeLessThanOrEqual(PAGE_MAX_LENGTH);
        expect(page).toMatch(/^https?:\/\/[\x21-\x7e]+$/);
        expect(page).not.toContain('#');
        expect(page).not.toContain(encodeURIComponent(mail));
      }),
      { numRuns: 2_000 },
    );
  });
});

describe('whose page it is', () => {
  it.each([
    ['https://shop.example', true],
    ['https://shop.example:8443', true],
    ['https://de.eu.shop.example', true],
    ['https://eu.shop.example', false],
    ['https://shop.example:444', false],
    ['http://shop.example', false],
    ['https://shop.example.evil.example', false],
    ['https://evil.example', false],
    ['https://shop.example@evil.example', false],
    ['https://shop.example/path', false],
    ['HTTPS://shop.example', false],
    ['null', false],
    ['', false],
  ])('%j: %s', (origin, own) => expect(isProgramsOrigin(origin, RULES)).toBe(own));

  it('an http page counts where the program allows http', () =>
    expect(isProgramsOrigin('http://shop.example', { ...RULES, allowHttp: true })).toBe(true));

  const OWN = 'https://shop.example';
  const EVIL = 'https://evil.example';
  it.each([
    [{ origin: OWN, referer: `${OWN}/p`, page: OWN }, true, true],
    [{ origin: EVIL, referer: `${OWN}/p`, page: OWN }, false, false],
    [{ origin: OWN, referer: `${EVIL}/p`, page: OWN }, false, false],
    [{ origin: OWN, referer: `${OWN}/p`, page: EVIL }, false, false],
    [{ origin: 'null', page: OWN }, true, true],
    [{ referer: 'about:client', page: OWN }, false, false],
    [{ page: null }, true, false],
    [{ origin: 'null', page: null }, true, false],
    [{ origin: '', referer: '', page: null }, true, false],
  ])('%j may speak: %s with a click id, %s without', (asked, withClick, without) =>
    expect([maySpeakFor(RULES, asked, true), maySpeakFor(RULES, asked, false)]).toEqual([withClick, without]),
  );
});
