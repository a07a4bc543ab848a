import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { checkDestination } from '@baton/contracts';
import { LANDING_CASES } from '@baton/testing';
import { type Landing, landingOf, type MacroValues, render } from './landing';

const oracle = JSON.parse(readFileSync(join(__dirname, 'fixtures/destinations.json'), 'utf8')) as {
  cases: { base: string; others: [string, string][] }[];
  refused: string[];
};
const UTM = { utm_source: 'email', utm_medium: 'referral', utm_campaign: 'summer-2026', utm_content: 'ref_8xK2', utm_term: 'vip segment' };
const ID = 'EQAAAAABAZwT7J4AAAAAAXz1bjrKrKhK';
const hrefOf = (base: string): string => {
  const { host } = new URL(base);
  const check = checkDestination(base, { hosts: [host], allowHttp: true });
  return check.kind === 'ok' ? check.href : `refused: ${check.reasons.join()}`;
};
const VALUES: MacroValues = {
  partnerKey: null,
  partnerId: 'p',
  programId: 'g',
  linkId: 'l',
  slug: 's',
  subIds: {},
  country: null,
  device: 'desktop',
  os: null,
  visitorId: null,
  atMs: 0,
};
const sent = (landing: Landing) => render(landing, VALUES, ID);
const plainly = (landing: Landing) => render(landing, VALUES, null);

describe('a destination with our parameters', () => {
  it.each(oracle.cases.map((c) => [c.base, c.others] as const).filter(([base]) => !hrefOf(base).startsWith('refused')))(
    '%s keeps its own and reads ours back',
    (base, others) => {
      const url = new URL(sent(landingOf(hrefOf(base), UTM, 'click_id')));
      const params = [...url.searchParams];
      const ours = new Set([...Object.keys(UTM), 'click_id']);
      for (const [name, value] of Object.entries({ ...UTM, click_id: ID })) expect(url.searchParams.getAll(name)).toEqual([value]);
      const kept = new URL(base).searchParams;
      expect(params.filter(([name]) => !ours.has(name))).toEqual([...kept].filter(([name]) => !ours.has(name)));
      for (const [name, value] of others) expect(params).toContainEqual([name, value]);
      expect(url.hash).toBe(new URL(base).hash);
    },
  );

  it('has nearly thirty awkward destinations to hold', () =>
    expect(oracle.cases.filter((c) => !hrefOf(c.base).startsWith('refused')).length).toBeGreaterThanOrEqual(28));

  it('refuses what carries user info, another scheme, no site, or white space that a parser would drop', () => {
    expect(oracle.refused).toHaveLength(10);
    const hosts = ['shop.example'];
    expect(oracle.refused.filter((text) => checkDestination(text, { hosts, allowHttp: true }).kind === 'ok')).toEqual([]);
  });

  it.each([
    ['https://shop.example/', {}, 'https://shop.example/', `https://shop.example/?click_id=${ID}`],
    ['https://shop.example/?', {}, 'https://shop.example/', `https://shop.example/?click_id=${ID}`],
    [
      'https://shop.example/p?a=%20+%zz&&b=;c#/x?y',
      {},
      'https://shop.example/p?a=%20+%zz&&b=;c#/x?y',
      `https://shop.example/p?a=%20+%zz&&b=;c&click_id=${ID}#/x?y`,
    ],
    [
      'https://shop.example/p?a=1#',
      { utm_source: 'x y' },
      'https://shop.example/p?a=1&utm_source=x+y#',
      `https://shop.example/p?a=1&utm_source=x+y&click_id=${ID}#`,
    ],
    [
      'https://shop.example/%ff/%?sig=%ff%FE+a%2B%3d;x=%&b=%zz&&=c#f%ff+%',
      { utm_id: '1' },
      'https://shop.example/%ff/%?sig=%ff%FE+a%2B%3d;x=%&b=%zz&&=c&utm_id=1#f%ff+%',
      `https://shop.example/%ff/%?sig=%ff%FE+a%2B%3d;x=%&b=%zz&&=c&utm_id=1&click_id=${ID}#f%ff+%`,
    ],
    ['https://shop.example/?click_id=forged&a=1', {}, 'https://shop.example/?a=1', `https://shop.example/?a=1&click_id=${ID}`],
    [
      'https://shop.example/?cl%69ck_id=forged&utm_source=old&%75tm_source=older',
      { utm_source: 'new' },
      'https://shop.example/?utm_source=new',
      `https://shop.example/?utm_source=new&click_id=${ID}`,
    ],
    ['https://shop.example/??click_id=1', {}, 'https://shop.example/??click_id=1', `https://shop.example/??click_id=1&click_id=${ID}`],
  ])('%s', (href, utm, plain, withId) => {
    const landing = landingOf(href, utm as Record<string, string>, 'click_id');
    expect([plainly(landing), sent(landing)]).toEqual([plain, withId]);
  });

  it('gives the place of the click id to the click id, whatever the convention says', () => {
    expect(new URL(sent(landingOf('https://shop.example/', { utm_id: 'x' }, 'utm_id'))).searchParams.getAll('utm_id')).toEqual([ID]);
  });

  it('remembers the UTM values that gave way, the first of each name, and only those', () => {
    const utm = { utm_source: 'new', utm_medium: 'referral', utm_id: 'x' };
    const query = 'utm_source=Old+One&utm_source=older&%75tm_medium=referral&utm_medium=cpc&utm_id=&utm_term=kept&utm_campaign=%00';
    expect(landingOf(`https://shop.example/?${query}`, utm, 'click_id').rawUtm).toEqual({ utm_source: 'Old One', utm_medium: 'cpc' });
    expect(landingOf(`https://shop.example/?${query}`, {}, 'click_id').rawUtm).toEqual({});
  });

  it('keeps every byte of the destination, and sends header-safe text, whatever destination and convention', () => {
    // No letters of which our names could be made, escaped or not.
    const rest = fc.string({ unit: fc.constantFrom(...'abAB09-._~!$&\'()*+,;=:@/?%# éß日🎉"<>[]{}|^`'), maxLength: 60 });
    const utm = fc.dictionary(
      fc.constantFrom('utm_source', 'utm_medium', 'utm_campaign', 'utm_id'),
      fc.string({ unit: 'binary', minLength: 1, maxLength: 30 }),
    );
    fc.assert(
      fc.property(rest, utm, (text, values) => {
        const check = checkDestination(`https://shop.example/${text}`, { hosts: ['shop.example'], allowHttp: false });
        fc.pre(check.kind === 'ok');
        const { href } = check as { href: string };
        const landing = landingOf(href, values, 'click_id');
        const [page = '', ...hash] = href.split('#');
        // An empty query is the one thing that may vanish.
        expect(sent(landing).startsWith(page.replace(/\?$/, ''))).toBe(true);
        const tail = href.includes('#') ? `#${hash.join('#')}` : '';
        expect(sent(landing).endsWith(`click_id=${ID}${tail}`)).toBe(true);
        for (const url of [sent(landing), plainly(landing)]) {
          expect(url).toMatch(/^[\x21-\x7e]+$/);
          const read = new URL(url);
          expect(read.host).toBe('shop.example');
          for (const [name, value] of Object.entries(values))
            expect(read.searchParams.getAll(name)).toEqual([value.replace(/\p{Surrogate}/gu, '\ufffd')]);
        }
      }),
      { numRuns: 1_000 },
    );
  });
});

describe('where a visitor lands', () => {
  it.each(LANDING_CASES)('is what the link builder showed: $href to $lands', ({ href, utm, landingParam, lands }) => {
    expect(render(landingOf(href, utm, landingParam), VALUES, ID)).toBe(lands.replaceAll('{click_id}', ID));
  });
});
