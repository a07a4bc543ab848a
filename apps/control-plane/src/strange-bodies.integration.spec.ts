import { nearly as record, odd, someOf as list, strangeWord as word } from '@baton/testing';
import fc from 'fast-check';
import { type Call, furnished, type Harness, startHarness } from './testing';

jest.setTimeout(120_000);

const url = fc.oneof(
  { weight: 6, arbitrary: fc.constantFrom('https://shop.example/', 'https://shop.example/{sub1}', 'acme://x') },
  fc.webUrl(),
  word,
  fc.constantFrom('https://shop.example/?utm_source=x', 'https://', 'https://[::1', 'https://shop.example/%0d'),
);
const instant = fc.constantFrom('2026-01-01T00:00:00.000Z', '2199-12-31T23:59:59.999Z', '2026-02-31T00:00:00.000Z', '');
const linkFields = {
  destination: url,
  utm: fc.dictionary(word, odd(word), { maxKeys: 3 }),
  starts_at: instant,
  ends_at: instant,
  click_cap: fc.oneof(fc.integer(), fc.double(), fc.constant(1e12)),
  fallback_url: url,
  targets: list(record({ countries: list(word), devices: list(word), choices: list(record({ destination: url, weight: fc.integer() })) })),
  deep_link: url,
};
const domainFields = {
  root_url: url,
  apple_apps: list(record({ app_id: fc.constant('ABCDE12345.com.example.app'), paths: list(word) })),
  android_apps: list(record({ package: fc.constantFrom('com.example.app', 'x'), fingerprints: list(word) })),
};
const programFields = {
  utm_convention: record({ sources: list(word), campaigns: list(word), terms: list(word) }),
  deep_link_schemes: list(word),
  app_stores: record({ app_store_url: url, play_package: word }),
};

describe('a strange body', () => {
  let harness: Harness;
  let call: Call;
  let ids: { program_id: string; partner_id: string };
  let paths: { program: string; link: string; domain: string };
  beforeAll(async () => {
    harness = await startHarness();
    const { call: own, partnerId } = await furnished(harness);
    call = own;
    const made = async (kind: string, body: object) => (await call('POST', `/v1/${kind}`, body)).body.id as string;
    const utmConvention = { sources: ['garden'], campaigns: ['spring'] };
    const program = await made('programs', {
      name: 'P',
      destination_hosts: ['shop.example'],
      utm_convention: utmConvention,
      deep_link_schemes: ['acme'],
    });
    ids = { program_id: program, partner_id: partnerId };
    const link = await made('links', { ...ids, destination: 'https://shop.example/' });
    const domain = await made('domains', { host: 'strange.shop.example' });
    paths = { program: `/v1/programs/${program}`, link: `/v1/links/${link}`, domain: `/v1/domains/${domain}` };
  });
  afterAll(() => harness.stop());

  const routes: [string, fc.Arbitrary<object>, (body: object) => [path: string, body: object]][] = [
    ['a link', record(linkFields), (body) => ['/v1/links', { destination: 'https://shop.example/', ...body, ...ids }]],
    ['a change of a link', record(linkFields), (body) => [paths.link, body]],
    ['the link builder', record({ destination: url, utm: linkFields.utm }), (body) => ['/v1/links:build', { ...body, ...ids }]],
    ['a change of a domain', record(domainFields), (body) => [paths.domain, body]],
    ['terms of a program', record(programFields), (body) => [`${paths.program}/versions`, body]],
  ];
  it.each(routes)('of %s is taken or refused with every reason, and never our fault', async (_name, bodies, request) => {
    const seen = new Set<number>();
    await fc.assert(
      fc.asyncProperty(fc.oneof({ weight: 19, arbitrary: bodies }, fc.constant({})), async (body) => {
        const { status, body: answer } = await call('POST', ...request(body));
        seen.add(status);
        if (status < 300) return;
        expect({ fault: status >= 500, code: answer.code as unknown }).toEqual({ fault: false, code: expect.any(String) as string });
      }),
      { numRuns: 150 },
    );
    // Both happened, or the bodies were not strange, or too strange.
    expect([[...seen].some((s) => s < 300), [...seen].some((s) => s >= 400)]).toEqual([true, true]);
  });
});
