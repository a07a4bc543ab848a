import { parseClickIdKeys, TOPICS, verifyClickId } from '@baton/contracts';
import { eventually } from '@baton/testing';
import {
  type Answer,
  CLICK_ID_KEYS,
  clickIdIn,
  type Cluster,
  type Edge,
  link,
  partner,
  program,
  startCluster,
  startEdge,
  visit,
} from './specs/edge.fixture';

const TENANT = '11111111-1111-4111-8111-111111111111';
const SPRING = 'https://shop.example/spring?utm_source=partner&utm_medium=referral&utm_campaign=spring';
const COOKIE = /^baton_vid=[A-Za-z0-9_-]{22}; Path=\/; Max-Age=34164000; HttpOnly; Secure; SameSite=Lax$/;
const notYet = (clickId: string | null): never => {
  throw new Error(`no click ${clickId} in the topic`);
};
const REASON = (answer: Answer) => [answer.status, (JSON.parse(answer.body) as { code: string; reason: string }).reason];

describe('a visitor follows a link', () => {
  let cluster: Cluster;
  let edge: Edge;
  let second: Edge;
  const reached = (at: Edge, version: number) =>
    eventually(async () => {
      const { catalog_version: seen } = JSON.parse((await visit(at, '/readyz')).body) as { catalog_version: number };
      return seen >= version;
    });
  const publish = async (...changes: Parameters<Cluster['publish']>) => {
    const version = await cluster.publish(...changes);
    await Promise.all([reached(edge, version), reached(second, version)]);
  };
  const recorded = (clickId: string | null) => eventually(() => cluster.clicks.find((c) => c.clickId === clickId) ?? notYet(clickId));

  /** Clicks in the topic, once nothing is on its way any more. */
  const clicksInTopic = async (): Promise<number> => {
    for (const at of [edge, second])
      await eventually(
        async () => (JSON.parse((await visit(at, '/readyz')).body) as { spool_backlog_bytes: number }).spool_backlog_bytes === 0,
      );
    return cluster.countOf(TOPICS.clicks);
  };

  beforeAll(async () => {
    cluster = await startCluster();
    [edge, second] = await Promise.all([startEdge(cluster.prefix, { TRUSTED_PROXIES: '127.0.0.0/8' }), startEdge(cluster.prefix)]);
    await publish(
      program(),
      partner(),
      link(),
      link({
        id: '44444444-4444-4444-8444-444444444445',
        number: 2,
        slug: 'with-own',
        destination: 'https://shop.example/p?a=%20+%zz&&click_id=x#/top',
        subIds: { sid: 'own', place: 'footer' },
      }),
    );
  }, 60_000);
  afterAll(async () => {
    await Promise.all([edge?.stop(), second?.stop()]);
    await cluster?.close();
  }, 60_000);

  it('and arrives with a signed click id, which reaches Kafka once, and with a cookie of the site’s own', async () => {
    const before = await clicksInTopic();
    const answer = await visit(edge, '/r/garden-spring?sid=caf%C3%A9&sub2=b&utm_source=raw&other=1', {
      headers: { referer: 'https://blog.example/post', 'accept-language': 'de-AT,de;q=0.9' },
    });
    expect(await clicksInTopic()).toBe(before + 1);
    const clickId = clickIdIn(answer) as string;
    expect([answer.status, answer.location]).toEqual([302, `${SPRING}&click_id=${clickId}`]);
    expect(answer.headers).toMatchObject({
      'cache-control': 'no-store',
      'referrer-policy': 'strict-origin-when-cross-origin',
      'x-robots-tag': 'noindex',
      'set-cookie': [expect.stringMatching(COOKIE) as string],
    });
    expect(verifyClickId(parseClickIdKeys(CLICK_ID_KEYS).keys, TENANT, clickId)).toMatchObject({ kind: 'valid', id: { linkNumber: 1 } });
    expect(await recorded(clickId)).toMatchObject({
      tenantId: TENANT,
      linkNumber: 1,
      bot: false,
      prefetch: false,
      subIds: { sid: 'café', sub2: 'b' },
      destination: SPRING,
      network: '127.0.0.0/24',
      addressHash: expect.stringMatching(/^[0-9a-f]{32}$/) as string,
      deviceClass: 'desktop',
      referrerHost: 'blog.example',
      language: 'de-AT',
      rawUtm: { utm_source: 'raw' },
    });
  });

  it('and finds what the destination brought, under the link’s own sub ids', async () => {
    const answer = await visit(second, '/r/with-own?sid=mine');
    expect(answer.location).toBe(
      `https://shop.example/p?a=%20+%zz&&utm_source=partner&utm_medium=referral&utm_campaign=spring&click_id=${clickIdIn(answer)}#/top`,
    );
    expect((await recorded(clickIdIn(answer))).subIds).toEqual({ sid: 'mine', place: 'footer' });
  });

  it('two replicas give ids that never meet', async () => {
    const answers = await Promise.all(Array.from({ length: 200 }, (_, i) => visit(i % 2 ? edge : second, '/r/garden-spring')));
    expect(new Set(answers.map(clickIdIn)).size).toBe(200);
    await eventually(() => answers.every((a) => cluster.clicks.some((c) => c.clickId === clickIdIn(a))));
  });

  it('HEAD redirects without an id, and is recorded as what it is', async () => {
    const before = await clicksInTopic();
    const answer = await visit(edge, '/r/garden-spring?sid=head', { method: 'HEAD' });
    expect([answer.status, answer.location, answer.body, answer.headers['set-cookie']]).toEqual([302, SPRING, '', undefined]);
    const click = await eventually(() => cluster.clicks.find(({ subIds }) => subIds['sid'] === 'head') ?? notYet(null));
    expect(click).toMatchObject({ head: true, prefetch: true });
    expect(await clicksInTopic()).toBe(before + 1);
  });

  it('a visitor who comes again keeps the cookie', async () => {
    const first = await visit(edge, '/r/garden-spring');
    const [cookie = ''] = (first.headers['set-cookie'] as string[]).map((text) => text.split(';')[0] as string);
    const again = await visit(second, '/r/garden-spring', { headers: { cookie: `other=1; ${cookie}` } });
    expect(again.headers['set-cookie']).toBeUndefined();
    const [one, two] = [await recorded(clickIdIn(first)), await recorded(clickIdIn(again))];
    expect([one.visitorId, two.visitorId]).toEqual([cookie.slice('baton_vid='.length), one.visitorId]);
  });

  it('bots and prefetches are redirected, and recorded as what they are', async () => {
    const bot = await visit(edge, '/r/garden-spring', { headers: { 'user-agent': 'Twitterbot/1.0' } });
    const prefetch = await visit(edge, '/r/garden-spring', { headers: { 'sec-purpose': 'prefetch' } });
    expect(await recorded(clickIdIn(bot))).toMatchObject({ bot: true, deviceClass: 'bot' });
    expect(await recorded(clickIdIn(prefetch))).toMatchObject({ bot: false, prefetch: true });
  });

  it('believes X-Forwarded-For from a trusted proxy alone, and never the Host', async () => {
    const headers = {
      'x-forwarded-for': '198.51.100.7',
      host: 'evil.example',
      'x-forwarded-host': 'evil.example',
      forwarded: 'host=evil.example',
    };
    const [trusted, untrusted] = [await visit(edge, '/r/garden-spring', { headers }), await visit(second, '/r/garden-spring', { headers })];
    expect([trusted, untrusted].map((a) => new URL(a.location ?? '').host)).toEqual(['shop.example', 'shop.example']);
    expect((await recorded(clickIdIn(trusted))).network).toBe('198.51.100.0/24');
    expect((await recorded(clickIdIn(untrusted))).network).toBe('127.0.0.0/24');
    expect(JSON.stringify(cluster.clicks)).not.toMatch(/198\.51\.100\.7|127\.0\.0\.1/);
  });

  it('an unknown link is a 404 that says so', async () => {
    for (const path of ['/r/nothing', '/r/Garden-Spring', '/r/%00', `/r/${'a'.repeat(90)}`]) {
      const answer = await visit(edge, path);
      expect([answer.headers['content-type'], ...REASON(answer), answer.location]).toEqual([
        'application/problem+json; charset=utf-8',
        404,
        'link_unknown',
        undefined,
      ]);
    }
  });

  it.each([
    '/r/garden-spring?sid=%0d%0aSet-Cookie:%20a=b',
    '/r/garden-spring?sid=%E5%98%8D%E5%98%8ASet-Cookie:a=b',
    '/r/garden-spring?click_id=forged&utm_source=%0d%0aX:%20y',
    '/r/garden-spring?url=https://evil.example&destination=//evil.example&sid=javascript:alert(1)',
    '/r/garden-spring%0d%0aSet-Cookie:a=b',
    '/r/garden-spring/..//evil.example',
    '/r//evil.example',
    '/r/%2e%2e%2f%0d%0aSet-Cookie:a=b',
  ])('%s injects nothing', async (path) => {
    const answer = await visit(edge, path);
    for (const cookie of answer.headers['set-cookie'] ?? []) expect(cookie).toMatch(COOKIE);
    if (answer.status === 302) expect(answer.location).toBe(`${SPRING}&click_id=${clickIdIn(answer)}`);
    else expect(answer.status).toBe(404);
  });

  it('obeys a link that is disabled, a program that pauses and new terms, in every replica', async () => {
    await publish(link({ version: 2, state: 'disabled' }));
    for (const at of [edge, second]) expect(REASON(await visit(at, '/r/garden-spring'))).toEqual([404, 'link_disabled']);
    await publish(link({ version: 3, state: 'active' }), program({ version: 2, validFrom: '2026-02-01T00:00:00.000Z', state: 'disabled' }));
    for (const at of [edge, second]) expect(REASON(await visit(at, '/r/garden-spring'))).toEqual([404, 'program_disabled']);
    await publish(
      program({ version: 3, validFrom: '2026-02-02T00:00:00.000Z', state: 'disabled', fallbackUrl: 'https://shop.example/closed' }),
    );
    const before = await clicksInTopic();
    expect((await visit(edge, '/r/garden-spring')).location).toBe('https://shop.example/closed');
    expect(await clicksInTopic()).toBe(before);
    await publish(program({ version: 4, validFrom: '2026-02-03T00:00:00.000Z', landingParam: 'ref', utm: {} }));
    expect((await visit(edge, '/r/garden-spring')).location).toMatch(/^https:\/\/shop\.example\/spring\?ref=[A-Za-z0-9_-]{32}$/);
  });

  it('says how far the catalog is and how fresh, also when nothing changes', async () => {
    await eventually(async () => {
      const ready = JSON.parse((await visit(edge, '/readyz')).body) as { ready: boolean; catalog_staleness_seconds: number };
      expect(ready.ready).toBe(true);
      expect(ready.catalog_staleness_seconds).toBeLessThan(2);
      const metrics = (await visit(edge, '/metrics')).body;
      for (const name of ['baton_catalog_version ', 'baton_catalog_staleness_seconds ', 'baton_redirects_total{outcome="click"}'])
        expect(metrics).toContain(name);
      return true;
    });
  });
});
