import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { type Asked, decide, type Decision, planOf, type Terms } from './decision';
import { type MacroValues, render } from './landing';
import { readQuery } from './query';

const FIXTURE = join(__dirname, '../../../../libs/contracts/src/fixtures/redirect-payloads.json');
const { refused, others, crlf } = JSON.parse(readFileSync(FIXTURE, 'utf8')) as Record<'refused' | 'others' | 'crlf', string[]>;
const HOST = 'app.example.test';
const ORIGIN = `https://${HOST}`;
const terms: Terms = {
  version: 1,
  validFromMs: 0,
  state: 'active',
  hosts: [HOST, `*.${HOST}`],
  allowHttp: false,
  landingParam: 'click_id',
  utm: { utm_source: 'ours' },
  utmConvention: null,
  fallbackUrl: null,
  deepLinkSchemes: ['acme'],
  appStores: null,
};
const ASKED: Asked = { atMs: 0, country: 'DE', device: 'mobile', visitorKey: 'visitor', counted: 0 };
const VALUES: MacroValues = {
  partnerKey: 'garden',
  partnerId: 'p',
  programId: 'g',
  linkId: 'l',
  slug: 's',
  subIds: {},
  country: 'DE',
  device: 'mobile',
  os: 'ios',
  visitorId: 'v',
  atMs: 0,
};
const planWith = (link: Partial<Parameters<typeof planOf>[0]['link']>, inForce: Partial<Terms> = {}) =>
  planOf({
    link: { state: 'active', destination: `${ORIGIN}/ok`, ...link },
    terms: { ...terms, ...inForce },
    partner: { state: 'active', key: 'garden' },
    isProgramKnown: true,
  });
const urlOf = (decision: Decision, subIds = {}): string | null => {
  if (decision.kind === 'refused') return null;
  return decision.kind === 'fallback' ? decision.url : render(decision.landing, { ...VALUES, subIds }, 'ID');
};
const target = (destination: string) => [{ choices: [{ destination, weight: 1 }] }];
/** Each way by which a stored text becomes a Location. */
const WAYS: [string, (text: string) => Decision][] = [
  ['a destination', (destination) => decide(planWith({ destination }), ASKED)],
  ['a target', (text) => decide(planWith({ destination: 'none', targets: target(text) }), ASKED)],
  ["a link's fallback", (fallbackUrl) => decide(planWith({ state: 'disabled', fallbackUrl }), ASKED)],
  ["a program's fallback", (fallbackUrl) => decide(planWith({ state: 'disabled' }, { fallbackUrl }), ASKED)],
];

describe.each(WAYS)('no known payload leaves the program: %s', (_name, decided) => {
  it('refuses all that lead away', () => {
    expect(refused).toHaveLength(219);
    expect(refused.filter((payload) => decided(payload).kind !== 'refused')).toEqual([]);
  });

  it('sends of the harmless ones nothing that leads away', () => {
    const sent = others.map((payload) => urlOf(decided(payload))).filter((url) => url !== null);
    expect(sent.length).toBeGreaterThan(0);
    expect(sent.filter((url) => new URL(url).origin !== ORIGIN)).toEqual([]);
  });

  it('sends no line break, as path, query or fragment', () => {
    const texts = crlf.flatMap((payload) => [payload, `/?x=${payload}`, `/#${payload}`]).map((part) => `${ORIGIN}${part}`);
    const sent = texts.map((text) => urlOf(decided(text))).filter((url) => url !== null);
    expect(sent.filter((url) => /[^\x21-\x7e]|%0[ad]/i.test(url) || new URL(url).origin !== ORIGIN)).toEqual([]);
  });

  it.each(['https://{sid}.app.example.test/', 'https://%7Bsid%7D.app.example.test/', 'https://{sid}/', '{sid}://app.example.test/'])(
    'refuses a macro that would choose the host: %s',
    (text) => expect(decided(text).kind).toBe('refused'),
  );
  it.each(['https://app.example.test:{sid}/', 'https://{sid}@app.example.test/', 'https://app.example.test{sid}/', '{sid}'])(
    'refuses a macro in port or user info, or without a site: %s',
    (text) => expect(decided(text).kind).toBe('refused'),
  );
});

describe('no payload does harm as a value', () => {
  const PLACES = ['/{sid}', '/a/{sid}/b', '{sid}', '/x{sid}', '?{sid}', '?next={sid}', '?{sid}={sid}', '#{sid}', '?a#{sid}', '/%7Bsid%7D?'];
  const destinations = PLACES.map((place) => `${ORIGIN}/p${place}`);
  const plans = destinations.map((destination) => planWith({ destination }));
  const check = (sid: string) => {
    for (const plan of plans) {
      const url = urlOf(decide(plan, ASKED), { sid })!;
      expect(url).toMatch(/^[\x21-\x7e]+$/);
      expect(url).not.toMatch(/%0[ad]/i);
      const read = new URL(url);
      expect(read.origin).toBe(ORIGIN);
      expect(read.username + read.password).toBe('');
      expect(read.pathname.startsWith('/p')).toBe(true);
      expect(read.searchParams.getAll('click_id')).toEqual(['ID']);
      expect(read.searchParams.getAll('utm_source')).toEqual(['ours']);
    }
  };

  it('of the known ones, as a link holds them and as a visitor sends them', () => {
    for (const payload of [...refused, ...others, ...crlf]) {
      check(payload);
      for (const written of [payload, encodeURIComponent(payload)]) check(readQuery(`/r/abc?sid=${written}`).subIds['sid'] ?? '');
    }
  });

  it('of any text', () => {
    const hostile = fc.string({
      unit: fc.constantFrom(...'./\\?#&=;:@%{}[]+\r\n\t\0 "\'<>ab', 'click_id', 'utm_source', '%0d%0a', '..'),
      maxLength: 12,
    });
    fc.assert(fc.property(fc.oneof(hostile, fc.string({ unit: 'binary' })), check), { numRuns: 400 });
  });
});

describe('any destination with macros', () => {
  it('that is taken stays on its host, whatever stands in it and whatever the values', () => {
    const text = fc.string({
      unit: fc.constantFrom(...'./?#&=;:@%{}[]ab', '{sid}', '%7Bsid%7D', '{click_id}', 'click_id', '{sub1}', '://', '%2e', '%'),
      maxLength: 14,
    });
    const value = fc.string({ unit: fc.constantFrom(...'./\\?#&=:@%{}\r\n ab', 'sid', 'click_id', '%2e'), maxLength: 6 });
    fc.assert(
      fc.property(fc.constantFrom('', '/', '/p/'), text, value, value, (start, rest, sid, sub1) => {
        const decision = decide(planWith({ destination: `${ORIGIN}${start}${rest}` }), ASKED);
        fc.pre(decision.kind === 'redirect');
        const url = urlOf(decision, { sid, sub1 })!;
        expect(url).toMatch(/^[\x21-\x7e]+$/);
        const read = new URL(url);
        expect(read.hostname === HOST || read.hostname.endsWith(`.${HOST}`)).toBe(true);
        expect([read.protocol, read.port, read.username, read.password]).toEqual(['https:', '', '', '']);
        // What was rendered is what a browser reads: no segment climbs.
        expect(read.href).toBe(url);
        expect(read.searchParams.getAll('click_id')).toEqual(['ID']);
        expect(read.searchParams.getAll('utm_source')).toEqual(['ours']);
      }),
      { numRuns: 3_000 },
    );
  });
});
