import { TouchRecorded, validated } from '@baton/contracts';
import fc from 'fast-check';
import { paramsOf, paramsOfJson, readPixel } from './pixel';
import { type TouchOf, touchOf } from './touch';

const CLICK_ID = 'EQAAAAABAZwT7J4AAAAAAXz1bjrKrKhK';
const OTHER_ID = 'EQAAAAABAZwT7J4AAAAAAXz1bjrKrKhL';
const TENANT = '11111111-1111-4111-8111-111111111111';
const PROGRAM = '22222222-2222-4222-8222-222222222222';
const CLICK = { id: CLICK_ID, linkId: '44444444-4444-4444-8444-444444444444', partnerId: '33333333-3333-4333-8333-333333333333' };
const read = (params: Record<string, string>, referer?: string) => readPixel(new Map(Object.entries(params)), referer);
const touch = (change: Partial<TouchOf> = {}) =>
  touchOf({
    touchId: '55555555-5555-4555-8555-555555555555',
    occurredAtMs: Date.parse('2026-01-31T12:00:02.000Z'),
    tenantId: TENANT,
    programId: PROGRAM,
    click: null,
    said: read({}),
    visitorId: null,
    agent: { bot: false, unfurler: false, deviceClass: 'desktop', os: 'linux' },
    place: { country: null, asn: null, hosting: false, vpn: false },
    network: null,
    addressHash: null,
    userAgentHash: null,
    language: null,
    ...change,
  });

describe('what the pixel says', () => {
  it('the page says what the parameters leave out, and gives way to them', () => {
    const url = `https://shop.example/?utm_source=page&utm_medium=cpc&click_id=${CLICK_ID}&gclid=g#x`;
    expect(read({ url, utm_source: 'own', ref: 'https://Blog.example/post?x', visitor_id: 'v-1', fbclid: 'f' })).toEqual({
      clickId: null,
      clickIdsOfPage: [{ name: 'click_id', value: CLICK_ID }],
      tenantId: null,
      programId: null,
      pageOrigin: 'https://shop.example',
      page: `https://shop.example/?utm_source=page&utm_medium=cpc&click_id=${CLICK_ID}&gclid=g`,
      referrer: { kind: 'site', name: 'blog.example' },
      referrerHost: 'blog.example',
      visitorId: 'v-1',
      utm: { utm_source: 'own', utm_medium: 'cpc' },
      marks: { gclid: 'g', fbclid: 'f' },
    });
  });

  it('the Referer header is the page where no other is named', () => {
    expect(read({}, 'https://shop.example/p').page).toBe('https://shop.example/p');
    expect(read({ url: 'https://shop.example/q' }, 'https://shop.example/p').page).toBe('https://shop.example/q');
  });

  it('click ids stand under any name; those of the trade come first, and eight are enough', () => {
    const names = (query: string) => read({ url: `https://shop.example/?${query}` }).clickIdsOfPage.map(({ name }) => name);
    expect(names(`x=${OTHER_ID}&dub_id=${CLICK_ID}&y=short&click_id=${CLICK_ID}`)).toEqual(['click_id', 'dub_id', 'x']);
    expect(names(Array.from({ length: 20 }, (_, i) => `p${i}=${CLICK_ID}`).join('&'))).toHaveLength(8);
  });

  it.each([
    [{}, { kind: 'unknown' }],
    [{ ref: '' }, { kind: 'direct' }],
    [{ ref: 'https://shop.example/before', url: 'https://shop.example/' }, { kind: 'direct' }],
    [{ ref: 'android-app://com.linkedin.android/' }, { kind: 'app', name: 'com.linkedin.android' }],
    [{ ref: 'javascript:1' }, { kind: 'unknown' }],
  ])('%j comes from %j', (params: Record<string, string>, referrer) => expect(read(params).referrer).toEqual(referrer));

  it('ids are taken in any case, and nothing else for one', () => {
    expect(read({ tenant_id: ` ${TENANT.toUpperCase()}`, program_id: 'x' })).toMatchObject({ tenantId: TENANT, programId: null });
    expect(read({ visitor_id: 'a b' }).visitorId).toBeNull();
    expect(read({ visitor_id: 'a'.repeat(65) }).visitorId).toBeNull();
  });

  it('mail addresses are no campaign', () =>
    expect(read({ utm_content: 'ann@mail.example', utm_term: 'a' }).utm).toEqual({ utm_term: 'a' }));

  it('reads forms and JSON alike, whatever their bytes', () => {
    expect([...paramsOf(Buffer.from('a=café&a=2&b=%zz&=x&c').toString('latin1'))]).toEqual([
      ['a', 'café'],
      ['b', '%zz'],
      ['', 'x'],
      ['c', ''],
    ]);
    expect([...paramsOfJson({ a: 'café', b: 1, c: true, d: null, e: ['x'], f: { g: 1 } })]).toEqual([
      ['a', 'café'],
      ['b', '1'],
      ['c', 'true'],
    ]);
  });
});

describe('a touch', () => {
  it('of a click is its partner’s, with all that is known of the visitor', () => {
    const said = read({ url: `https://shop.example/?click_id=${CLICK_ID}&utm_medium=referral`, ref: 'https://blog.example/' });
    expect(
      touch({
        ...{ click: CLICK, said, visitorId: 'v', network: '203.0.113.0/24', addressHash: 'a', userAgentHash: 'u', language: 'de' },
        place: { country: 'DE', asn: 3320, hosting: false, vpn: true },
      }),
    ).toEqual({
      ...{ tenantId: TENANT, programId: PROGRAM, touchId: '55555555-5555-4555-8555-555555555555', occurredAt: '2026-01-31T12:00:02.000Z' },
      ...{ channel: 'referral', channelType: 'affiliate', utm: { utm_medium: 'referral' }, bot: false, deviceClass: 'desktop' },
      ...{ clickId: CLICK_ID, linkId: CLICK.linkId, partnerId: CLICK.partnerId, visitorId: 'v', language: 'de' },
      ...{ page: `https://shop.example/?click_id=${CLICK_ID}&utm_medium=referral`, referrerHost: 'blog.example' },
      ...{ network: '203.0.113.0/24', addressHash: 'a', userAgentHash: 'u', country: 'DE', asn: 3320, hosting: false, vpn: true },
    });
  });

  it('of a click that the site remembered is told by how the visitor came this time', () => {
    const later = read({ click_id: CLICK_ID, url: 'https://shop.example/?utm_source=google&utm_medium=cpc' });
    expect(touch({ click: CLICK, said: later })).toMatchObject({ clickId: CLICK_ID, channel: 'paid', channelType: 'paid_search' });
    expect(touch({ click: CLICK, said: read({ click_id: CLICK_ID }) }).channelType).toBe('affiliate');
  });

  it('is what the contract takes, whatever the pixel says', () => {
    const text = fc.oneof(fc.string({ unit: 'binary', maxLength: 3_000 }), fc.webUrl({ withQueryParameters: true }), fc.emailAddress());
    const names = ['url', 'ref', 'click_id', 'visitor_id', 'utm_source', 'utm_id', 'utm_marketing_tactic', 'gclid', '__proto__', 'x'];
    fc.assert(
      fc.property(fc.dictionary(fc.constantFrom(...names), text), text, fc.boolean(), (params, referer, asJson) => {
        const said = readPixel(asJson ? paramsOfJson(params) : paramsOf(new URLSearchParams(params).toString()), referer);
        const data = touch({ said, visitorId: said.visitorId });
        expect(validated(TouchRecorded, JSON.parse(JSON.stringify(data)) as object)).toMatchObject(data);
      }),
      { numRuns: 1_000 },
    );
  });
});
