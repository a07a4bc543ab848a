import { UTM_VALUE } from '@baton/contracts';
import fc from 'fast-check';
import { cellOf, csvOf, markdownOf } from './convention-sheet';
import { problemsOfChoice, problemsOfConvention } from './convention';
import { COUNTRIES_COUNT, isCountry, likelyCountry } from './countries';
import { problemOfScheme, problemsOfDeepLink } from './deep-link';
import { nearestOf, slugOf } from './spelling';

const convention = { sources: ['garden', 'kitchen'], campaigns: ['spring-2026', 'summer-2026'] };

describe('a spelling', () => {
  it.each([
    ['Spring 2026', 'spring-2026'],
    ['SPRING_2026', 'spring-2026'],
    ['sprnig-2026', 'spring-2026'],
    ['sumer-2026', 'summer-2026'],
    ['  Sömmer-2026 ', 'summer-2026'],
    ['autumn', undefined],
    ['日本', undefined],
    ['', undefined],
  ])('%j was probably meant as %j', (text, meant) => expect(nearestOf(convention.campaigns, text)).toBe(meant));

  it('is found whichever single letter of a word is wrong', () => {
    const letter = fc.constantFrom(...'abcdefghijklmnopqrstuvwxyz0123456789');
    fc.assert(
      fc.property(fc.constantFrom('garden-blog', 'kitchen-club'), fc.nat({ max: 10 }), letter, (word, at, wrong) =>
        expect(nearestOf(['garden-blog', 'kitchen-club'], word.slice(0, at) + wrong + word.slice(at + 1))).toBe(word),
      ),
    );
  });

  it('is always a UTM value where there is one', () => {
    fc.assert(fc.property(fc.string({ unit: 'binary' }), (text) => expect(slugOf(text) ?? 'none').toMatch(UTM_VALUE)));
  });
});

describe('a convention', () => {
  const fields = (problems: readonly { field: string }[]) => problems.map((p) => p.field);

  it('names at least a source and a campaign, each once and well formed', () => {
    expect(problemsOfConvention(convention)).toEqual([]);
    expect(problemsOfConvention({ ...convention, terms: [] })).toEqual([]);
    expect(fields(problemsOfConvention({ sources: [], campaigns: ['A b', 'c', 'c'], terms: ['x '] }))).toEqual([
      'utm_convention.sources',
      'utm_convention.campaigns[0]',
      'utm_convention.campaigns[2]',
      'utm_convention.terms[0]',
    ]);
    expect(problemsOfConvention({ sources: ['Spring Sale'], campaigns: ['a'] })).toMatchObject([{ suggestion: 'spring-sale' }]);
  });

  it('leaves source, campaign and term to choose, and the medium and the content to nobody', () => {
    expect(problemsOfChoice(convention, { source: 'kitchen', campaign: 'summer-2026', term: 'any.thing' })).toEqual([]);
    expect(fields(problemsOfChoice(convention, { medium: 'referral', content: 'x', sorce: 'garden', term: 'A B' }))).toEqual([
      'utm.medium',
      'utm.content',
      'utm.sorce',
      'utm.term',
    ]);
    expect(problemsOfChoice(convention, { utm_sorce: 'x' })).toMatchObject([{ suggestion: 'source' }]);
    expect(fields(problemsOfChoice({ ...convention, terms: [] }, { term: 'pots' }))).toEqual(['utm.term']);
    expect(fields(problemsOfChoice(null, { source: 'garden' }))).toEqual(['utm']);
    expect(problemsOfChoice(null, {})).toEqual([]);
  });

  it('is a sheet whose cells no spreadsheet runs, and a page that no name breaks', () => {
    expect(csvOf({ sources: ['-cmd'], campaigns: ['a'] })).toBe(
      "parameter,value,use\r\nutm_source,'-cmd,default\r\nutm_medium,referral,always\r\nutm_campaign,a,default\r\nutm_content,the partner's key in lower case,always\r\nutm_term,any of a-z 0-9 . _ -,choice\r\n",
    );
    expect(markdownOf('A|b\n# <c>', { ...convention, terms: [] }).split('\n')[0]).toBe('# UTM convention of A\\|b \\# \\<c\\>');
    expect(['=1+1', '+1', '-1', '@a', '\ta', '\ra', 'a,"b"', 'a'].map(cellOf)).toEqual([
      "'=1+1",
      "'+1",
      "'-1",
      "'@a",
      "'\ta",
      `"'\ra"`,
      '"a,""b"""',
      'a',
    ]);
  });
});

describe('a country', () => {
  it('is one of ISO 3166, in capitals', () => {
    expect(COUNTRIES_COUNT).toBe(250);
    expect(['DE', 'GB', 'SS', 'XK'].every(isCountry)).toBe(true);
    expect(['UK', 'de', 'XX', 'EU', 'AN'].some(isCountry)).toBe(false);
    expect([likelyCountry('uk'), likelyCountry('de'), likelyCountry('XX')]).toEqual(['GB', 'DE', undefined]);
  });
});

describe('a deep link', () => {
  it.each(['http', 'https', 'javascript', 'data', 'file', 'vbscript', 'blob', 'about', 'intent', 'content', 'Acme', '1a', 'a b', ''])(
    'never has the scheme %j',
    (scheme) => {
      expect(problemOfScheme(scheme)).toBeDefined();
      expect(problemsOfDeepLink(`${scheme}://x`, ['acme'])).not.toEqual([]);
    },
  );
  it('opens an app of the program and holds nothing that another reader could read otherwise', () => {
    expect(problemsOfDeepLink('acme://products/7?a=%C3%A9', ['acme'])).toEqual([]);
    for (const bad of [
      'acme://a b',
      'acme://\r\n',
      'acme://%0d%0a',
      'acme://ä',
      '//acme',
      `acme://${'x'.repeat(2048)}`,
      ' acme://x',
      'javascript:alert(1)',
    ])
      expect(problemsOfDeepLink(bad, ['acme', 'javascript'])).not.toEqual([]);
  });
});
