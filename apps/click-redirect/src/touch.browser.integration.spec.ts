import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { runInNewContext } from 'node:vm';
import { eventually } from '@baton/testing';
import { type Answer, ask, CLICK, clickId, doorsOf, FORM, NAMED, OWN, startPixel, startTouches } from './specs/pixel.fixture';

const GUIDE = /<script>([^]*?)<\/script>/.exec(readFileSync(join(__dirname, '../../../docs/pixel.md'), 'utf8'))?.[1] as string;

describe('the pixel and browsers', () => {
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
  const { get } = doorsOf(() => edge.url);

  it('a browser gets an id that it keeps, apart for each site; on the tenant’s own domain it is that of the links', async () => {
    const first = await get(`click_id=${CLICK}`, OWN);
    const [cookie] = first.headers['set-cookie'] as string[];
    const [, id] =
      /^baton_vid=([A-Za-z0-9_-]{22}); Path=\/; Max-Age=\d+; HttpOnly; Secure; SameSite=None; Partitioned$/.exec(cookie as string) ?? [];
    expect((await log.touchOf(id as string)).clickId).toBe(CLICK);
    const second = await get(`click_id=${CLICK}&utm_term=again`, { ...OWN, cookie: `a=b; baton_vid=${id}` });
    expect(second.headers['set-cookie']).toBeUndefined();
    await eventually(() => log.touches.some((one) => one.visitorId === id && one.utm['utm_term'] === 'again'));
    expect((await get(`click_id=${CLICK}`, { host: 'Go.Shop.example:443' })).headers['set-cookie']).toEqual([
      expect.stringMatching(/; HttpOnly; Secure; SameSite=Lax$/),
    ]);
    // The page's own id stands over the cookie, and a bot gets none.
    expect((await get(`click_id=${CLICK}&visitor_id=own`, { cookie: `baton_vid=${id}` })).headers['set-cookie']).toBeUndefined();
    expect(await log.touchOf('own')).toBeDefined();
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

  it.each([true, false])('the script of the guide says where the visitor is, in a browser with beacons: %s', async (hasBeacon) => {
    const asked: (() => Promise<Answer>)[] = [];
    const visited = `https://shop.example/spring?ref_id=${CLICK}&utm_term=guide-${hasBeacon}#top`;
    runInNewContext(GUIDE, {
      URLSearchParams,
      location: { href: visited },
      document: { referrer: 'https://blog.example/' },
      navigator: {
        ...(hasBeacon && {
          sendBeacon: (url: string, said: URLSearchParams) =>
            asked.push(() =>
              ask(edge.url, new URL(url).pathname, { method: 'POST', body: said.toString(), headers: { 'content-type': FORM } }),
            ),
        }),
      },
      Image: class {
        set src(url: string) {
          asked.push(() => ask(edge.url, new URL(url).pathname + new URL(url).search, { headers: OWN }));
        }
      },
    });
    expect(asked).toHaveLength(1);
    expect((await asked[0]?.())?.status).toBe(hasBeacon ? 204 : 200);
    await eventually(() => {
      const touch = log.touches.find((one) => one.utm['utm_term'] === `guide-${hasBeacon}`);
      return touch?.clickId === CLICK && touch.referrerHost === 'blog.example' && touch.page === visited.replace('#top', '');
    });
  });
});
