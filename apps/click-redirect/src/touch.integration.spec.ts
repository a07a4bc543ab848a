import fc from 'fast-check';
import {
  ask,
  CATALOG,
  CLICK,
  clickId,
  closedFacts,
  doorsOf,
  LINK,
  NAMED,
  OWN,
  PARTNER,
  PAUSED,
  PROGRAM,
  reasonOf,
  startPixel,
  startTouches,
  TENANT,
} from './specs/pixel.fixture';

const OTHER_TENANT = '11111111-1111-4111-8111-111111111112';
const EVIL = { origin: 'https://evil.example', referer: 'https://evil.example/' };
const page = (query: string) => encodeURIComponent(`https://shop.example/spring?${query}`);

describe('the pixel of a landing page', () => {
  let log: Awaited<ReturnType<typeof startTouches>>;
  let edge: Awaited<ReturnType<typeof startPixel>>;
  beforeAll(async () => {
    log = await startTouches();
    edge = await startPixel(log.facts);
  }, 60_000);
  afterAll(async () => {
    await edge?.stop();
    await log?.close();
  }, 60_000);

  const { get, post } = doorsOf(() => edge.url);

  it('is a picture of 43 bytes, and the touch is in Kafka before it is served', async () => {
    const before = await log.count();
    const ref = encodeURIComponent('https://blog.example/post?x');
    const answer = await get(`url=${page(`ref_id=${CLICK}&utm_source=partner#top`)}&ref=${ref}&visitor_id=one`, {
      ...OWN,
      'user-agent': 'Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36',
      'accept-language': 'de-AT,de;q=0.9',
    });
    expect(await log.count()).toBe(before + 1);
    expect([answer.status, answer.body.length, answer.body.toString('latin1', 0, 6)]).toEqual([200, 43, 'GIF89a']);
    expect(answer.headers).toMatchObject({
      'content-type': 'image/gif',
      'cache-control': 'no-store',
      vary: 'Origin',
      'access-control-allow-origin': OWN.origin,
      'access-control-allow-credentials': 'true',
      'cross-origin-resource-policy': 'cross-origin',
    });
    expect(answer.headers['set-cookie']).toBeUndefined();
    expect(await log.touchOf('one')).toEqual({
      ...{ tenantId: TENANT, programId: PROGRAM, linkId: LINK, partnerId: PARTNER, clickId: CLICK, visitorId: 'one' },
      ...{ channel: 'referral', channelType: 'affiliate', utm: { utm_source: 'partner' }, referrerHost: 'blog.example' },
      ...{ page: `https://shop.example/spring?ref_id=${CLICK}&utm_source=partner`, occurredAt: '2026-01-31T12:00:02.000Z' },
      ...{ bot: false, deviceClass: 'desktop', language: 'de-AT', network: '8.8.8.0/24', country: 'US', asn: 15169 },
      ...{ hosting: expect.any(Boolean) as boolean, vpn: false, touchId: expect.stringMatching(/^[0-9a-f-]{36}$/) as string },
      ...{
        addressHash: expect.stringMatching(/^[0-9a-f]{32}$/) as string,
        userAgentHash: expect.stringMatching(/^[0-9a-f]{32}$/) as string,
      },
    });
    expect(JSON.stringify(log.touches)).not.toContain('8.8.8.8');
  });

  it.each([
    [
      'JSON as sendBeacon calls it',
      JSON.stringify({ click_id: CLICK, visitor_id: 'café'.slice(0, 3), utm_term: 'café' }),
      'text/plain;charset=UTF-8',
      'caf',
    ],
    ['JSON', JSON.stringify({ click_id: CLICK, visitor_id: 'json', utm_term: 'café' }), 'application/json', 'json'],
    ['a form', `click_id=${CLICK}&visitor_id=form&utm_term=caf%C3%A9`, 'application/x-www-form-urlencoded;charset=UTF-8', 'form'],
    ['a form with raw bytes', `click_id=${CLICK}&visitor_id=raw&utm_term=café`, 'application/x-www-form-urlencoded', 'raw'],
    [
      'JSON under a form’s name',
      JSON.stringify({ click_id: CLICK, visitor_id: 'odd', utm_term: 'café' }),
      'application/x-www-form-urlencoded',
      'odd',
    ],
  ])('takes %s', async (_name, body, type, visitorId) => {
    const answer = await post(body, type, { headers: OWN });
    expect([answer.status, answer.body.length, answer.headers['access-control-allow-origin']]).toEqual([204, 0, OWN.origin]);
    expect(await log.touchOf(visitorId)).toMatchObject({ clickId: CLICK, utm: { utm_term: 'café' }, page: OWN.referer });
  });

  it('takes what the query says, the body first, and the program by name', async () => {
    expect((await post('visitor_id=body', 'text/plain', { query: `${NAMED}&visitor_id=query`, headers: OWN })).status).toBe(204);
    expect(await log.touchOf('body')).toMatchObject({ tenantId: TENANT, programId: PROGRAM });
    expect((await log.touchOf('body')).clickId).toBeUndefined();
    expect((await post('', 'text/plain', { query: `${NAMED}&visitor_id=empty`, headers: OWN })).status).toBe(204);
  });

  it('a stranger’s parameter that looks like a click id does not hide the program', async () => {
    await get(`${NAMED}&url=${page(`cid=${'x'.repeat(32)}`)}&visitor_id=stranger`);
    expect(await log.touchOf('stranger')).toMatchObject({ programId: PROGRAM, channelType: 'other' });
  });

  it('of two click ids the one under the program’s own parameter counts', async () => {
    const [first, own] = [clickId(1, TENANT, 1), clickId(1, TENANT, 2)];
    await get(`url=${page(`click_id=${first}&ref_id=${own}`)}&visitor_id=two`);
    expect((await log.touchOf('two')).clickId).toBe(own);
  });

  it.each([
    ['nothing', 'x=1', {}, 422, 'program_unknown', 'unidentified'],
    ['another shape', 'click_id=abc', {}, 422, 'click_forged', 'click_forged'],
    ['an altered click id', `click_id=${CLICK.slice(0, -2)}AA`, {}, 422, 'click_forged', 'click_forged'],
    ['another tenant’s click id', `click_id=${clickId(1, OTHER_TENANT)}`, {}, 422, 'click_forged', 'click_forged'],
    ['a click id of no link', `click_id=${clickId(3)}`, {}, 422, 'click_forged', 'click_forged'],
    ['a forged click id beside a program', `click_id=${clickId(3)}&${NAMED}`, OWN, 422, 'click_forged', 'click_forged'],
    ['a forged click id on the page', `url=${page(`click_id=${clickId(3)}`)}`, OWN, 422, 'click_forged', 'click_forged'],
    ['a link whose program is not known', `click_id=${clickId(2)}`, OWN, 422, 'program_unknown', 'program_unknown'],
    ['another tenant’s program', `tenant_id=${OTHER_TENANT}&program_id=${PROGRAM}`, OWN, 422, 'program_unknown', 'program_unknown'],
    ['a program that is paused', `tenant_id=${TENANT}&program_id=${PAUSED}`, OWN, 422, 'program_paused', 'program_paused'],
    ['a page of somebody else', NAMED, EVIL, 422, 'destination_refused', 'host_not_allowed'],
    ['a page of somebody else that names another', `${NAMED}&url=${page('')}`, EVIL, 422, 'destination_refused', 'host_not_allowed'],
    ['a click id on somebody else’s page', `click_id=${CLICK}`, EVIL, 422, 'destination_refused', 'host_not_allowed'],
    ['no page and no click id', NAMED, {}, 422, 'destination_refused', 'host_not_allowed'],
    ['too much', `click_id=${CLICK}&x=${'x'.repeat(8_200)}`, OWN, 413, 'too_large', 'too_large'],
  ])('%s records nothing, and says so', async (_name, query, headers, status, code, reason) => {
    const before = await log.count();
    const picture = await get(query, headers);
    expect([picture.status, picture.body.length, picture.headers['set-cookie']]).toEqual([200, 43, undefined]);
    for (const answer of [await post(query, 'text/plain', { headers }), await post('', 'text/plain', { query, headers })]) {
      expect(reasonOf(answer)).toEqual([status, code, reason]);
      expect(answer.headers['content-type']).toContain('application/problem+json');
      if (headers === EVIL) expect(answer.headers['access-control-allow-origin']).toBeUndefined();
    }
    expect(await log.count()).toBe(before);
    const metrics = (await ask(edge.url, '/metrics')).body.toString();
    for (const door of ['gif', 'post'])
      expect(metrics).toMatch(new RegExp(`baton_touches_total{door="${door}",outcome="${reason}"[^}]*} [1-9]`));
  });

  it.each([
    ['{', 'text/plain', 400, 'malformed'],
    ['{"__proto__":{}}', 'application/json', 400, 'malformed'],
    [`{"a":${'['.repeat(2_000)}${']'.repeat(2_000)}}`, 'text/plain', 413, 'too_large'],
    ['--x', 'multipart/form-data; boundary=x', 415, 'unsupported_media_type'],
  ])('a body that cannot be read is refused: %#', async (body, type, status, code) => {
    const answer = await post(body, type);
    expect(reasonOf(answer)).toEqual([status, code, code]);
  });

  it('HEAD gets the picture’s headers, and nobody was there', async () => {
    const before = await log.count();
    const answer = await ask(edge.url, `/t.gif?click_id=${CLICK}`, { method: 'HEAD' });
    expect([answer.status, answer.headers['content-length'], await log.count()]).toEqual([200, '43', before]);
  });

  it('no bytes make it fail', async () => {
    const bodies = fc.oneof(
      fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.from(bytes)),
      fc.json().map((text) => Buffer.from(text)),
      fc
        .dictionary(
          fc.constantFrom('url', 'ref', 'click_id', 'utm_source', 'visitor_id'),
          fc.oneof(fc.string({ unit: 'binary' }), fc.webUrl(), fc.constant(CLICK)),
        )
        .map((said) => Buffer.from(JSON.stringify({ tenant_id: TENANT, program_id: PROGRAM, ...said }))),
    );
    await fc.assert(
      fc.asyncProperty(bodies, async (body) => {
        expect((await post(body, 'text/plain', { headers: OWN })).status).toBeLessThan(500);
      }),
      { numRuns: 500 },
    );
  }, 60_000);
});

describe('the pixel while nothing can be kept', () => {
  it.each([
    ['a log that takes nothing more', CATALOG, 'shed'],
    ['a catalog that was never read', { ...CATALOG, isLoaded: false }, 'not_loaded'],
  ])('%s: the picture is served, and a script is told when to come again', async (_name, catalog, reason) => {
    const edge = await startPixel(await closedFacts(), catalog);
    const picture = await ask(edge.url, `/t.gif?click_id=${CLICK}`);
    expect([picture.status, picture.body.length, picture.headers['set-cookie']]).toEqual([200, 43, undefined]);
    const answer = await ask(edge.url, '/t', { method: 'POST', body: `click_id=${CLICK}`, headers: OWN });
    expect([...reasonOf(answer), answer.headers['retry-after']]).toEqual([503, 'unavailable', reason, '2']);
    await edge.stop();
  });
});
