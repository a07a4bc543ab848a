import fc from 'fast-check';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { CHANNELS } from '../events/touch-recorded';
import { type Arrival, CHANNEL_TYPES, channelOf, MARKS, type Referrer } from './channel';
import { siteKindOf } from './known-sites';

interface Oracle {
  readonly cases: { readonly input: Record<string, string>; readonly expected: string }[];
  readonly referring_domain_type: { readonly domain: string; readonly expected: string }[];
}
const oracle = JSON.parse(readFileSync(join(__dirname, 'fixtures/channels.json'), 'utf8')) as Oracle;

const referrerOf = (domain: string | undefined): Referrer =>
  domain === undefined ? { kind: 'unknown' } : domain === '$direct' ? { kind: 'direct' } : { kind: 'site', name: domain };
const arrivalOf = ({ referring_domain, ...input }: Record<string, string>): Arrival => ({
  referrer: referrerOf(referring_domain),
  utm: input,
  marks: Object.fromEntries(Object.entries(input).filter(([name]) => MARKS.includes(name))),
  byPartner: false,
});
const arrival = (change: Partial<Arrival>): Arrival => ({ referrer: { kind: 'unknown' }, utm: {}, marks: {}, byPartner: false, ...change });
const from = (source: string, medium: string, campaign = '') =>
  arrival({ utm: { utm_source: source, utm_medium: medium, utm_campaign: campaign } });
const site = (name: string) => arrival({ referrer: { kind: 'site', name } });

describe('the channel of a visitor', () => {
  it('the sample has all its cases', () => expect([oracle.cases.length, oracle.referring_domain_type.length]).toEqual([28, 7]));
  it.each(oracle.cases)('%j', ({ input, expected }) =>
    expect(channelOf(arrivalOf(input)).type).toBe(expected.toLowerCase().replace(' ', '_')),
  );
  it.each(oracle.referring_domain_type.filter(({ domain }) => domain !== '$direct'))('%j', ({ domain, expected }) =>
    expect(siteKindOf(domain)).toBe(expected.toLowerCase()),
  );

  it.each<[Arrival, string, string]>([
    [arrival({ referrer: { kind: 'direct' } }), 'direct', 'direct'],
    [{ ...from('(direct)', '(none)'), referrer: { kind: 'direct' } }, 'direct', 'direct'],
    [site('blog.example'), 'referral', 'other'],
    [from('somebody', 'something'), 'other', 'other'],
    [from('partner', 'referral'), 'referral', 'referral'],
    [from('partner', 'affiliates'), 'referral', 'affiliate'],
    [from('google', 'organic'), 'organic', 'organic_search'],
    [from('letter', 'e-mail'), 'email', 'email'],
    [from('newsletter', ''), 'email', 'email'],
    [from('FaceBook', 'CPC'), 'paid', 'paid_social'],
    [from('someone', 'social-media'), 'social', 'organic_social'],
    [from('someone', 'cpm'), 'paid', 'display'],
    [from('someone', 'banner'), 'paid', 'display'],
    [from('someone', 'sms'), 'other', 'sms'],
    [from('someone', 'web-push'), 'other', 'push'],
    [from('spotify', ''), 'other', 'audio'],
    [from('', '', 'workshop'), 'other', 'other'],
    [from('', '', 'e-shop'), 'organic', 'organic_shopping'],
    [arrival({ marks: { msclkid: 'x' } }), 'paid', 'paid_search'],
    [arrival({ marks: { ttclid: 'x' }, referrer: { kind: 'direct' } }), 'paid', 'paid_social'],
    [arrival({ marks: { dclid: 'x' } }), 'paid', 'display'],
    [site('mail.google.com'), 'email', 'email'],
    [arrival({ referrer: { kind: 'app', name: 'com.google.android.gm' } }), 'email', 'email'],
    [arrival({ referrer: { kind: 'app', name: 'example.app' } }), 'other', 'other'],
    [{ ...from('google', 'cpc'), byPartner: true }, 'referral', 'affiliate'],
  ])('%j is %s, %s', (given, channel, type) => expect(channelOf(given)).toEqual({ channel, type }));

  it.each([
    ['google.com.evil.example', null],
    ['notgoogle.com', null],
    ['docs.google.com', null],
    ['abc.safeframe.googlesyndication.com', null],
    ['google.example', null],
    ['myfacebook.com', null],
    ['L.Facebook.com.', 'social'],
    ['images.google.com.br', 'search'],
    ['de.search.yahoo.com', 'search'],
    ['shop.myshopify.com', 'shopping'],
    ['', null],
    ['com', null],
  ])('%s is %s', (host, kind) => expect(siteKindOf(host)).toBe(kind));

  it('is always one of the list, whatever comes, and case and blanks change nothing', () => {
    const text = fc.oneof(
      fc.string({ unit: 'binary', maxLength: 30 }),
      fc.constantFrom('google', 'cpc', 'email', 'shop', 'video', 'direct'),
    );
    const names = ['utm_source', 'utm_medium', 'utm_campaign'];
    const arrivals = fc.record<Arrival>({
      referrer: fc.oneof(
        fc.constantFrom<Referrer>({ kind: 'direct' }, { kind: 'unknown' }),
        fc.record({ kind: fc.constantFrom('site' as const, 'app' as const), name: fc.oneof(text, fc.domain()) }),
      ),
      utm: fc.dictionary(fc.constantFrom(...names, '__proto__', 'constructor'), text),
      marks: fc.dictionary(fc.constantFrom(...MARKS), text),
      byPartner: fc.boolean(),
    });
    fc.assert(
      fc.property(arrivals, (given) => {
        const { channel, type } = channelOf(given);
        expect(CHANNELS).toContain(channel);
        expect(CHANNEL_TYPES).toContain(type);
        expect(given.byPartner).toBe(type === 'affiliate' && given.byPartner);
        const shouted = Object.fromEntries(
          Object.entries(given.utm).map(([name, value]) => [name, /^[a-z]*$/.test(value) ? ` ${value.toUpperCase()} ` : value]),
        );
        expect(channelOf({ ...given, utm: shouted })).toEqual({ channel, type });
      }),
      { numRuns: 2_000 },
    );
  });
});
