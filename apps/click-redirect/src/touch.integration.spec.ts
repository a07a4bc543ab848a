import { mintClickId } from '@baton/contracts';
import { eventually } from '@baton/testing';
import fc from 'fast-check';
import {
  type Answer,
  ask,
  type Asked,
  CATALOG,
  factsNowhere,
  KEYS,
  LINK,
  PARTNER,
  PAUSED,
  PROGRAM,
  startPixel,
  startTouches,
  TENANT,
} from './specs/pixel.fixture';

const OTHER_TENANT = '11111111-1111-4111-8111-111111111112';
const clickId = (linkNumber = 1, tenantId = TENANT, nonce = 7) =>
  mintClickId(KEYS.keys, tenantId, { keyId: 1, linkNumber, occurredAtMs: 1_769_860_000_000, nonce });
const CLICK = clickId();
const NAMED = `tenant_id=${TENANT}&program_id=${PROGRAM}`;
const OWN = { origin: 'https://shop.example', referer: 'https://shop.example/spring' };
const EVIL = { origin: 'https://evil.example', referer: 'https://evil.example/' };
const page = (query: string) => encodeURIComponent(`https://shop.example/spring?${query}`);
const reasonOf = ({ status, body }: Answer) => {
  const { code, reason } = JSON.parse(body.toString()) as { code: string; reason: string };
  return [status, code, reason];
};

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

  const get = (query: string, headers: Record<string, string> = {}) => ask(edge.url, `/t.gif?${query}`, { headers });
  const post = (body: string | Buffer, type = 'text/plain;charset=UTF-8', asked: Asked & { query?: string } = {}) =>
    ask(edge.url, `/t${asked.query ? `?${asked.query}` : ''}`, {
      method: 'POST',
      body,
      headers: { 'content-type': type, ...asked.headers },
    });
  /** Each test names its visitor, so that it finds its own touch. */
  const touchOf = (visitorId: string) =>
    eventually(() => {
      const touch = log.touches.find((one) => one.visitorId === visitorId);
      if (!touch) throw new Error(`no touch of ${visitorId} in the topic`);
      return touch;
    });

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
    expect(await touchOf('one')).toEqual({
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
    expect(await touchOf(visitorId)).toMatchObject({ clickId: CLICK, utm: { utm_term: 'café' }, page: OWN.referer });
  });

  it('takes what the query says, the body first, and the program by name', async () => {
    expect((await post('visitor_id=body', 'text/plain', { query: `${NAMED}&visitor_id=query`, headers: OWN })).status).toBe(204);
    expect(await touchOf('body')).toMatchObject({ tenantId: TENANT, programId: PROGRAM });
    expect((await touchOf('body')).clickId).toBeUndefined();
    expect((await post('', 'text/plain', { query: `${NAMED}&visitor_id=empty`, headers: OWN })).status).toBe(204);
  });

  it('a stranger’s parameter that looks like a click id does not hide the program', async () => {
    await get(`${NAMED}&url=${page(`cid=${'x'.repeat(32)}`)}&visitor_id=stranger`);
    expect(await touchOf('stranger')).toMatchObject({ programId: PROGRAM, channelType: 'other' });
  });

  it('of two click ids the one under the program’s own parameter counts', async () => {
    const [first, own] = [clickId(1, TENANT, 1), clickId(1, TENANT, 2)];
    await get(`url=${page(`click_id=${first}&ref_id=${own}`)}&visitor_id=two`);
    expect((await touchOf('two')).clickId).toBe(own);
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

  it('a browser gets an id that it keeps, apart for each site; on the tenant’s own domain it is that of the links', async () => {
    const first = await get(`click_id=${CLICK}`, OWN);
    const [cookie] = first.headers['set-cookie'] as string[];
    const [, id] =
      /^baton_vid=([A-Za-z0-9_-]{22}); Path=\/; Max-Age=\d+; HttpOnly; Secure; SameSite=None; Partitioned$/.exec(cookie as string) ?? [];
    expect((await touchOf(id as string)).clickId).toBe(CLICK);
    const second = await get(`click_id=${CLICK}&utm_term=again`, { ...OWN, cookie: `a=b; baton_vid=${id}` });
    expect(second.headers['set-cookie']).toBeUndefined();
    await eventually(() => log.touches.some((one) => one.visitorId === id && one.utm['utm_term'] === 'again'));
    expect((await get(`click_id=${CLICK}`, { host: 'Go.Shop.example:443' })).headers['set-cookie']).toEqual([
      expect.stringMatching(/; HttpOnly; Secure; SameSite=Lax$/),
    ]);
    // The page's own id stands over the cookie, and a bot gets none.
    expect((await get(`click_id=${CLICK}&visitor_id=own`, { cookie: `baton_vid=${id}` })).headers['set-cookie']).toBeUndefined();
    expect(await touchOf('own')).toBeDefined();
    expect((await get(`click_id=${CLICK}&utm_term=bot`, { 'user-agent': 'Twitterbot/1.0' })).headers['set-cookie']).toBeUndefined();
    await eventually(() => log.touches.some((one) => one.utm['utm_term'] === 'bot' && one.bot === true && one.visitorId === undefined));
  });

  it.each([
    [`click_id=${CLICK}`, 'https://shop.example', true],
    [NAMED, 'https://de.shop.example', true],
    [NAMED, 'https://evil.example', false],
    [NAMED, 'http://shop.example', false],
    [NAMED, 'null', false],
    [`click_id=${clickId(3)}`, 'https://shop.example', false],
    ['', 'https://shop.example', false],
  ])('a browser that asks ahead with "%s" from %s: %s', async (query, origin, allowed) => {
    const headers = { origin, 'access-control-request-method': 'POST', 'access-control-request-headers': 'content-type' };
    const answer = await ask(edge.url, `/t?${query}`, { method: 'OPTIONS', headers });
    expect([answer.status, answer.headers.vary, answer.headers['access-control-allow-origin']]).toEqual([
      204,
      'Origin',
      allowed ? origin : undefined,
    ]);
    expect(answer.headers['access-control-allow-headers']).toBe(allowed ? 'Content-Type' : undefined);
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
    ['a full log', CATALOG, 'shed'],
    ['a catalog that was never read', { ...CATALOG, isLoaded: false }, 'not_loaded'],
  ])('%s: the picture is served, and a script is told when to come again', async (_name, catalog, reason) => {
    const nowhere = factsNowhere();
    const edge = await startPixel(nowhere.facts, catalog);
    const picture = await ask(edge.url, `/t.gif?click_id=${CLICK}`);
    expect([picture.status, picture.body.length, picture.headers['set-cookie']]).toEqual([200, 43, undefined]);
    const answer = await ask(edge.url, '/t', { method: 'POST', body: `click_id=${CLICK}`, headers: OWN });
    expect([...reasonOf(answer), answer.headers['retry-after']]).toEqual([503, 'unavailable', reason, '2']);
    await edge.stop();
    await nowhere.close();
  });
});
