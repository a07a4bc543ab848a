import { LANDING_CASES } from '@baton/testing';
import fc from 'fast-check';
import { landingPage } from './landing';

const utm = { utm_source: 'garden', utm_medium: 'referral' };
const OURS = 'utm_source=garden&utm_medium=referral&click_id={click_id}';

describe('the page on which a visitor lands', () => {
  it.each([
    ['https://shop.example/', `https://shop.example/?${OURS}`],
    ['https://shop.example/?', `https://shop.example/?${OURS}`],
    ['https://shop.example/p?a=1+2&b=%zz;c#top', `https://shop.example/p?a=1+2&b=%zz;c&${OURS}#top`],
    ['https://shop.example/?utm_source=x&a=1&utm%5Fmedium=y', `https://shop.example/?a=1&${OURS}`],
    ['https://shop.example/?click_id=x&a=1', `https://shop.example/?a=1&${OURS}`],
    ['https://shop.example/?click_id={clickid}&a=1', 'https://shop.example/?click_id={clickid}&a=1&utm_source=garden&utm_medium=referral'],
  ])('of %s is %s', (href, url) => expect(landingPage(href, utm, 'click_id')).toBe(url));

  it.each(LANDING_CASES)('is where the redirect leads: $href to $lands', ({ href, utm: governed, landingParam, lands }) => {
    // The builder leaves a macro of the destination as it is written; the redirect fills it.
    const shown = landingPage(href, governed, landingParam).replace(/(?:\{|%7B)(?:click_id|irclickid)(?:\}|%7D)/g, '{click_id}');
    expect(shown).toBe(lands);
  });

  it('reads back every parameter of ours once, whatever the destination brings, and keeps the others in order', () => {
    const name = fc.oneof(fc.constantFrom('utm_source', 'click_id', 'a', 'b'), fc.string());
    fc.assert(
      fc.property(fc.array(fc.tuple(name, fc.string())), fc.constantFrom('', '#x'), (own, hash) => {
        const url = new URL(`https://shop.example/p${own.length > 0 ? `?${new URLSearchParams(own).toString()}` : ''}${hash}`);
        const landed = new URL(landingPage(url.href, utm, 'click_id'));
        expect([landed.origin, landed.pathname, landed.hash]).toEqual([url.origin, url.pathname, url.hash]);
        const isOurs = (n: string) => ['utm_source', 'utm_medium', 'click_id'].includes(n);
        const read = [...landed.searchParams];
        expect(read.filter(([n]) => !isOurs(n))).toEqual([...url.searchParams].filter(([n]) => !isOurs(n)));
        expect(read.filter(([n]) => isOurs(n))).toEqual([...Object.entries(utm), ['click_id', '{click_id}']]);
      }),
    );
  });
});
