import { type Asked, decide, type Decision, type PlannedLink, planOf, type Terms, termsInForce } from './decision';

const terms = (change: Partial<Terms> = {}): Terms => ({
  version: 1,
  validFromMs: 0,
  state: 'active',
  hosts: ['shop.example'],
  allowHttp: false,
  landingParam: 'click_id',
  utm: {},
  utmConvention: null,
  fallbackUrl: null,
  deepLinkSchemes: [],
  appStores: null,
  ...change,
});
const NOW = Date.parse('2026-06-01T12:00:00.000Z');
const link: PlannedLink = { state: 'active', destination: 'https://shop.example/spring' };
const asked: Asked = { atMs: NOW, country: 'DE', device: 'desktop', visitorKey: 'visitor', counted: 0 };
type Given = Parameters<typeof planOf>[0];
const plan = (change: Partial<PlannedLink> = {}, inForce: Terms | undefined = terms(), more: Partial<Given> = {}) =>
  planOf({ link: { ...link, ...change }, terms: inForce, partner: { state: 'active', key: 'Garden' }, isProgramKnown: true, ...more });
const textOf = (decision: Decision) =>
  decision.kind === 'redirect' ? decision.landing.plain.texts.join('') : decision.kind === 'fallback' ? decision.url : decision.reason;
const outcome = (change: Partial<PlannedLink>, inForce = terms(), question: Partial<Asked> = {}) =>
  textOf(decide(plan(change, inForce), { ...asked, ...question }));

const SPRING = 'https://shop.example/spring';
const HOME = 'https://shop.example/home';
const ELSEWHERE = 'https://fallback.example/';
const one = (destination: string, weight = 1) => ({ destination, weight });

describe('where a visitor goes', () => {
  it('to the destination of an active link', () => expect(outcome({})).toBe(SPRING));

  it.each<[string, Partial<PlannedLink>, Partial<Terms>, Partial<Given>]>([
    ['link_disabled', { state: 'disabled' }, {}, {}],
    ['link_deleted', { state: 'deleted' }, {}, {}],
    ['program_disabled', {}, { state: 'disabled' }, {}],
    ['program_deleted', {}, { state: 'deleted' }, {}],
    ['partner_disabled', {}, {}, { partner: { state: 'disabled', key: null } }],
    ['partner_deleted', {}, {}, { partner: { state: 'deleted', key: null } }],
    ['destination_refused', {}, { hosts: ['other.example'] }, {}],
    ['destination_refused', { destination: 'http://shop.example/' }, {}, {}],
    ['link_not_begun', { startsAt: '2026-06-01T12:00:00.001Z' }, {}, {}],
    ['link_ended', { endsAt: '2026-06-01T12:00:00.000Z' }, {}, {}],
    ['link_capped', { clickCap: 10 }, {}, {}],
  ])('nowhere: %s', (reason, change, inForce, more) => {
    const question = { ...asked, counted: 10 };
    const said = (hosts: string[], fallbacks: { ofLink?: string; ofProgram?: string }) => {
      const given = { ...inForce, hosts: [...(inForce.hosts ?? ['shop.example']), ...hosts], fallbackUrl: fallbacks.ofProgram ?? null };
      return decide(plan({ ...change, fallbackUrl: fallbacks.ofLink ?? null }, terms(given), more), question);
    };
    expect(said([], {})).toEqual({ kind: 'refused', reason });
    const fallback = (url: string) => ({ kind: 'fallback', url, reason });
    // With a fallback the visitor still arrives somewhere, if the program may lead there; the link's stands before the program's.
    expect(said(['fallback.example'], { ofProgram: ELSEWHERE })).toEqual(fallback(ELSEWHERE));
    expect(said(['fallback.example'], { ofLink: `${ELSEWHERE}link`, ofProgram: ELSEWHERE })).toEqual(fallback(`${ELSEWHERE}link`));
    expect(said(['fallback.example'], { ofLink: 'https://evil.example/', ofProgram: ELSEWHERE })).toEqual(fallback(ELSEWHERE));
    expect(said([], { ofLink: ELSEWHERE, ofProgram: ELSEWHERE })).toEqual({ kind: 'refused', reason });
  });

  it('nowhere before the terms begin, or where no program is known, not even to a fallback', () => {
    const without = (isProgramKnown: boolean) =>
      decide(
        planOf({
          link: { ...link, fallbackUrl: ELSEWHERE, deepLink: 'acme://x' },
          terms: undefined,
          partner: { state: 'active', key: null },
          isProgramKnown,
        }),
        asked,
      );
    expect(without(true)).toEqual({ kind: 'refused', reason: 'program_not_begun' });
    expect(without(false)).toEqual({ kind: 'refused', reason: 'program_unknown' });
  });

  it('by the highest version that is in force, to the millisecond', () => {
    const versions = [
      terms({ version: 3, validFromMs: 300 }),
      terms({ version: 2, validFromMs: 100 }),
      terms({ version: 1, validFromMs: 200 }),
    ];
    expect([99, 100, 299, 300].map((at) => termsInForce(versions, at)?.version)).toEqual([undefined, 2, 2, 3]);
  });

  it('from the start to just before the end, and until the cap is reached', () => {
    const limits = { startsAt: '2026-06-01T12:00:00.000Z', endsAt: '2026-06-01T12:00:01.000Z', clickCap: 3 };
    const at = (afterMs: number, counted = 0) => outcome(limits, terms(), { atMs: NOW + afterMs, counted });
    expect([at(-1), at(0), at(999), at(1_000)]).toEqual(['link_not_begun', SPRING, SPRING, 'link_ended']);
    expect([at(0, 2), at(0, 3), at(0, 4)]).toEqual([SPRING, 'link_capped', 'link_capped']);
    expect(outcome({}, terms(), { counted: 1e12 })).toBe(SPRING);
  });

  it('a pause stands above the schedule, and the schedule above targets', () => {
    const targets = [{ choices: [one(HOME)] }];
    expect(outcome({ targets, state: 'disabled', endsAt: '2020-01-01T00:00:00.000Z' })).toBe('link_disabled');
    expect(outcome({ targets, endsAt: '2020-01-01T00:00:00.000Z' })).toBe('link_ended');
    expect(outcome({ targets })).toBe(HOME);
  });
});

describe('targets of a link', () => {
  it('lead who fits, and bots and all others go where the link leads', () => {
    const targets = [{ countries: ['AT'], choices: [one('https://shop.example/at')] }];
    expect([
      outcome({ targets }, terms(), { country: 'AT' }),
      outcome({ targets }),
      outcome({ targets }, terms(), { country: 'AT', device: 'bot' }),
    ]).toEqual(['https://shop.example/at', SPRING, SPRING]);
  });

  it('a destination that the program refuses leaves its visitors to the other choices, then to the link, then to the fallback', () => {
    const bad = one('https://evil.example/', 1_000_000);
    const of = (choices: { destination: string; weight: number }[], change: Partial<PlannedLink> = {}) =>
      outcome({ targets: [{ choices }, { choices: [one('https://shop.example/second')] }], fallbackUrl: HOME, ...change });
    expect(of([bad, one('https://shop.example/good')])).toBe('https://shop.example/good');
    expect(of([bad])).toBe(SPRING);
    expect(of([bad], { destination: 'https://evil.example/' })).toBe(HOME);
    // The other way round too: what can be sent is sent.
    expect(of([one('https://shop.example/good')], { destination: 'https://evil.example/' })).toBe('https://shop.example/good');
  });

  it('carry the UTM values and the click id as the link does', () => {
    const { kind, ...rest } = decide(plan({ targets: [{ choices: [one(HOME)] }] }, terms({ utm: { utm_source: 'p' } })), asked) as Extract<
      Decision,
      { kind: 'redirect' }
    >;
    expect([kind, rest.landing.withId.texts]).toEqual(['redirect', [`${HOME}?utm_source=p&click_id=`, '']]);
  });
});

describe('the plan of a link', () => {
  it('says what it puts on, and what gave way', () => {
    const utmConvention = { sources: ['news'], campaigns: ['spring'], terms: null };
    const made = plan({ destination: `${SPRING}?utm_source=Old&utm_medium=referral&a=1` }, terms({ utmConvention, utm: { utm_id: 'x' } }));
    expect(made.utm).toEqual({ utm_source: 'news', utm_medium: 'referral', utm_campaign: 'spring', utm_content: 'garden' });
    expect(made.rawUtm).toEqual({ utm_source: 'Old' });
    expect(textOf(made.otherwise)).toBe(`${SPRING}?a=1&utm_source=news&utm_medium=referral&utm_campaign=spring&utm_content=garden`);
  });

  it('holds a deep link only under a scheme of the program', () => {
    const deepLink = 'acme://products/7';
    expect([
      plan({ deepLink }, terms({ deepLinkSchemes: ['acme'] })).deepLink,
      plan({ deepLink }).deepLink,
      plan({}, terms({ deepLinkSchemes: ['acme'] })).deepLink,
    ]).toEqual([deepLink, null, null]);
  });

  it('knows whether anybody has to look up a country', () => {
    const needs = (change: Partial<PlannedLink>) => plan(change).needsPlace;
    expect([
      needs({}),
      needs({ targets: [{ devices: ['mobile'], choices: [one(HOME)] }] }),
      needs({ targets: [{ countries: ['AT'], choices: [one(HOME)] }] }),
      needs({ destination: `${SPRING}/{country}` }),
      needs({ targets: [{ choices: [one(`${HOME}?c=%7Bcountry_code%7D`)] }] }),
    ]).toEqual([false, false, true, true, true]);
  });

  it('answers with the very objects that it holds, so that a click allocates nothing', () => {
    const made = plan({ targets: [{ countries: ['DE'], choices: [one(HOME), one(SPRING)] }] });
    expect(decide(made, asked)).toBe(decide(made, asked));
  });
});
