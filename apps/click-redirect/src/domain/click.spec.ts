import fc from 'fast-check';
import { ClickRecorded, type ClickRecordedData, emit, encode, mintClickId, parse, peekClickId, validated } from '@baton/contracts';
import { agentText, clickText, landingText, linkText, placeText } from './click';
import { mergedSubIds, readQuery } from './query';
import { isPrefetch, languageOf, readAgent, referrerHostOf } from './visitor';

const keys = new Map([[1, new Uint8Array(32).fill(7)]]);
const tenantId = '11111111-1111-4111-8111-111111111111';
const link = {
  tenantId,
  id: '44444444-4444-4444-8444-444444444444',
  number: 7,
  programId: '22222222-2222-4222-8222-222222222222',
  partnerId: '33333333-3333-4333-8333-333333333333',
};

describe('the fact of a click', () => {
  it('meets its contract, survives the wire and holds nothing that a database refuses, whatever the visitor sends', () => {
    const header = fc.option(fc.oneof(fc.string({ unit: 'binary', maxLength: 400 }), fc.webUrl()), { nil: undefined });
    const request = fc.record({
      query: fc.string({ unit: 'binary', maxLength: 200 }),
      sid: fc.string({ unit: 'binary', maxLength: 400 }),
      headers: fc.record({ 'user-agent': header, referer: header, 'accept-language': header, purpose: header }),
      utm: fc.dictionary(
        fc.constantFrom('utm_source', 'utm_campaign'),
        fc.string({ unit: 'grapheme', maxLength: 60 }).map((t) => t.replace(/\p{Cc}/gu, '')),
      ),
      subIds: fc.dictionary(fc.string({ unit: fc.constantFrom(...'abc'), minLength: 1, maxLength: 8 }), fc.string({ maxLength: 255 }), {
        maxKeys: 20,
      }),
      atMs: fc.integer({ min: Date.UTC(2020, 0, 1), max: Date.UTC(2099, 0, 1) }),
      destination: fc.constantFrom('https://shop.example/spring', `https://shop.example/?${'a=%C3%A9&'.repeat(200)}`),
    });
    fc.assert(
      fc.property(request, ({ query, sid, headers, utm, subIds, atMs, destination }) => {
        const clickId = mintClickId(keys, tenantId, { keyId: 1, linkNumber: link.number, occurredAtMs: atMs, nonce: 1 });
        const passed = readQuery(`/r/abc?${query}&sid=${encodeURIComponent(sid.replace(/\p{Surrogate}/gu, '\ufffd'))}&utm_source=${query}`);
        const click = JSON.parse(
          clickText({
            clickId,
            occurredAt: new Date(atMs).toISOString(),
            link: linkText(link),
            agent: agentText(readAgent(headers['user-agent']), null),
            place: placeText({ country: 'AT', asn: 64_496, hosting: true, vpn: false }),
            subIds: mergedSubIds(subIds, passed.subIds),
            landing: landingText(destination, utm),
            rawUtm: passed.rawUtm,
            drifted: utm,
            prefetch: isPrefetch(headers),
            head: false,
            network: '203.0.113.0/24',
            addressHash: 'b7f1',
            referrerHost: referrerHostOf(headers.referer),
            language: languageOf(headers['accept-language']),
            visitorId: null,
            host: null,
          }),
        ) as ClickRecordedData;
        expect(() => validated(ClickRecorded, click)).not.toThrow();
        const message = encode(emit(ClickRecorded, click));
        const read = parse(ClickRecorded.topic, { ...message, value: Buffer.from(message.value) });
        expect(read.data).toEqual(click);
        expect(message.value).not.toMatch(/\\u0000|\\ud[89a-f]/i);
        expect(peekClickId(clickId)).toMatchObject({ linkNumber: link.number, occurredAtMs: Date.parse(click.occurredAt) });
      }),
      { numRuns: 500 },
    );
  });
});
