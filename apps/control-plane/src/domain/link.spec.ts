import fc from 'fast-check';
import { validated, LinkChanged, type LinkData } from '@baton/contracts';
import { changesLink, checkLink, type LinkContext, type LinkWords } from './link';

const terms = {
  destinationHosts: ['shop.example', '*.shop.example'],
  allowHttp: false,
  utmConvention: { sources: ['garden', 'kitchen'], campaigns: ['spring-2026'], terms: [] },
  deepLinkSchemes: ['acme'],
};
const making: LinkContext = { terms, partnerKey: 'Garden_Blog', before: null };
const destination = 'https://shop.example/';
const problemsOf = (words: LinkWords, context = making) => {
  const check = checkLink(words, context);
  return check.kind === 'ok' ? [] : check.problems.map(({ code, field }) => `${code} ${field}`);
};
const agreedOf = (words: LinkWords, context = making) => {
  const check = checkLink(words, context);
  if (check.kind !== 'ok') throw new Error(JSON.stringify(check.problems));
  return check.agreed;
};

describe('a link', () => {
  it('keeps what is chosen in the form that every browser reads, and nothing of what is not', () => {
    expect(agreedOf({ destination: 'https://SHOP.example', fallback_url: null, targets: [], utm: {} })).toEqual({ destination });
    expect(
      agreedOf({ destination, targets: [{ countries: null, choices: [{ destination: 'https://A.shop.example', weight: 1 }] }] }),
    ).toEqual({
      destination,
      targets: [{ choices: [{ destination: 'https://a.shop.example/', weight: 1 }] }],
    });
  });

  it('names the problems of all its places at once', () =>
    expect(
      problemsOf({
        destination: 'http://shop.example/',
        fallback_url: 'https://evil.example/',
        targets: [{ countries: [], choices: [{ destination: '//shop.example', weight: 1 }] }],
        deep_link: 'javascript:alert(1)',
        utm: { term: 'pots' },
        starts_at: '2026-02-01T00:00:00.000Z',
        ends_at: '2026-01-01T00:00:00.000Z',
      }),
    ).toEqual([
      'destination_refused destination',
      'destination_refused fallback_url',
      'destination_refused targets[0].choices[0].destination',
      'malformed targets[0].countries',
      'utm_refused utm.term',
      'destination_refused deep_link',
      'malformed ends_at',
    ]));

  it('must lead somewhere, at first and ever after', () => {
    expect(problemsOf({})).toEqual(['malformed destination']);
    expect(problemsOf({ destination: null }, { ...making, before: { destination } })).toEqual(['malformed destination']);
  });

  it('may bring the very values that its convention puts, and no other', () => {
    const governed = 'utm_source=garden&utm_medium=referral&utm_campaign=spring-2026&utm_content=garden_blog';
    expect(problemsOf({ destination: `${destination}?${governed}&utm_id=9` })).toEqual([]);
    for (const drift of [
      'utm_source=kitchen',
      'utm_medium=cpc',
      'utm_term=x',
      'UTM_source=garden',
      'utm%5Fcampaign=Spring',
      'utm_content=Garden_Blog',
    ])
      expect(problemsOf({ destination: `${destination}?a=1&${drift}` })).toEqual(['utm_refused destination']);
    expect(problemsOf({ destination: `${destination}?utm_source=kitchen`, utm: { source: 'kitchen' } })).toEqual([]);
    expect(problemsOf({ destination: `${destination}?utm_source=x` }, { ...making, terms: { ...terms, utmConvention: null } })).toEqual([]);
  });

  it('is judged by what stood there before, too', () => {
    const before = { destination: `${destination}?utm_source=garden`, startsAt: '2026-02-01T00:00:00.000Z' };
    expect(problemsOf({ utm: { source: 'kitchen' } }, { ...making, before })).toEqual(['utm_refused destination']);
    expect(problemsOf({ ends_at: '2026-01-01T00:00:00.000Z' }, { ...making, before })).toEqual(['malformed ends_at']);
    expect(problemsOf({ click_cap: 5 }, { ...making, before: { ...before, destination: 'https://gone.example/' } })).toEqual([]);
  });

  it('changes where something new is said, and takes away what is null', () => {
    const before = { ...LinkChanged.sample, destination, utm: { source: 'kitchen' }, clickCap: 5 } satisfies LinkData;
    const changed = (words: LinkWords) => changesLink(before, agreedOf(words, { ...making, before }));
    expect([{}, { destination: 'https://SHOP.example' }, { click_cap: 5 }, { fallback_url: null }].map(changed)).toEqual([
      false,
      false,
      false,
      false,
    ]);
    expect([{ click_cap: 6 }, { click_cap: null }, { utm: null }].map(changed)).toEqual([true, true, true]);
    expect(agreedOf({ utm: null }, { ...making, before })).toMatchObject({ utm: null, clickCap: 5 });
  });

  it('that passes is one that its contract takes, whatever was asked for', () => {
    const good = fc.constantFrom(destination, 'https://A.shop.example/?q={sub1}#x');
    const text = fc.oneof({ weight: 9, arbitrary: good }, fc.webUrl(), fc.constantFrom('acme:%0a', ''), fc.string());
    const words = fc.record(
      {
        destination: text,
        fallback_url: fc.option(text),
        deep_link: fc.option(fc.oneof(fc.constant('acme://x'), text)),
        utm: fc.option(
          fc.dictionary(
            fc.constantFrom('source', 'campaign', 'term', 'medium', 'other'),
            fc.constantFrom('garden', 'kitchen', 'spring-2026', 'X'),
            { maxKeys: 3 },
          ),
        ),
        targets: fc.option(
          fc.array(
            fc.record({
              countries: fc.option(fc.array(fc.constantFrom('DE', 'AT', 'UK', 'de'), { maxLength: 3 })),
              devices: fc.option(fc.array(fc.constantFrom('mobile', 'bot'), { maxLength: 2 })),
              choices: fc.array(fc.record({ destination: text, weight: fc.integer({ min: 1, max: 1_000_000 }) }), { maxLength: 3 }),
            }),
            { maxLength: 3 },
          ),
        ),
      },
      { requiredKeys: ['destination'] },
    );
    let passed = 0;
    fc.assert(
      fc.property(words, (w) => {
        const check = checkLink(w, making);
        if (check.kind === 'refused') return expect(check.problems.length).toBeGreaterThan(0);
        passed++;
        validated(LinkChanged, { ...LinkChanged.sample, ...check.agreed });
        for (const { choices } of check.agreed.targets ?? [])
          for (const choice of choices) expect(choice.destination).toMatch(/^https:\/\/(\w+\.)?shop\.example\//);
      }),
      { numRuns: 2_000 },
    );
    expect(passed).toBeGreaterThan(100);
  });
});
