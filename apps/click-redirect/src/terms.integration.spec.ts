import { type ClickRecordedData, DomainChanged, type DomainData, emit } from '@baton/contracts';
import { eventually } from '@baton/testing';
import {
  type Answer,
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

const ANDROID = 'Mozilla/5.0 (Linux; Android 14; Pixel 8) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0.0.0 Mobile Safari/537.36';
/** Addresses by country, as the packaged data has it: registries' own networks, which do not move. */
const GERMAN = '193.0.0.1';
const HOUR_MS = 3_600_000;

const domain = (change: Partial<DomainData> = {}) => emit(DomainChanged, { ...DomainChanged.sample, ...change });
const other = { tenantId: '99999999-9999-4999-8999-999999999999' };
let numbers = 100;
const more = (slug: string, change: Parameters<typeof link>[0] = {}) =>
  link({ id: `44444444-4444-4444-8444-${String(++numbers).padStart(12, '0')}`, slug, number: numbers, ...change });
const reason = ({ status, body }: Answer) => [status, (JSON.parse(body) as { reason: string }).reason];

describe('what was agreed about a link', () => {
  let cluster: Cluster;
  let edge: Edge;
  let second: Edge;
  const follow = (slug: string, headers: Record<string, string> = {}, at = edge) => visit(at, `/r/${slug}`, { headers });
  const clickOf = async (answer: Answer): Promise<ClickRecordedData> => {
    const id = clickIdIn(answer);
    await eventually(() => cluster.clicks.some(({ clickId }) => clickId === id), 20_000);
    return cluster.clicks.find(({ clickId }) => clickId === id) as ClickRecordedData;
  };

  beforeAll(async () => {
    cluster = await startCluster();
    const version = await cluster.publish(
      program({
        deepLinkSchemes: ['acme'],
        appStores: { playPackage: 'com.acme.shop' },
        utmConvention: { sources: ['partner', 'newsletter'], campaigns: ['spring'] },
        fallbackUrl: 'https://shop.example/all',
      }),
      partner(),
      link(),
      more('macros', { destination: 'https://shop.example/{partner_key}/x?s={sub1}&c={country}&u={unknown}&utm_source=Old#{sub1}' }),
      more('chosen', { utm: { source: 'newsletter' } }),
      more('phones', {
        targets: [
          { devices: ['mobile'], choices: [{ destination: 'https://shop.example/phone', weight: 1 }] },
          {
            choices: [
              { destination: 'https://shop.example/a', weight: 1 },
              { destination: 'https://shop.example/b', weight: 1 },
            ],
          },
        ],
      }),
      more('soon', { startsAt: new Date(Date.now() + HOUR_MS).toISOString() }),
      more('over', { endsAt: new Date(Date.now() - HOUR_MS).toISOString(), fallbackUrl: 'https://shop.example/over' }),
      more('capped', { clickCap: 3 }),
      more('app', { deepLink: 'acme://products/7' }),
      domain({
        rootUrl: 'https://shop.example/',
        androidApps: [{ package: 'com.acme.shop', fingerprints: [Array(32).fill('AB').join(':')] }],
      }),
      domain({ ...other, id: '77777777-7777-4777-8777-777777777777', host: 'go.other.example' }),
    );
    const trusting = { TRUSTED_PROXIES: '127.0.0.0/8' };
    [edge, second] = await Promise.all([startEdge(cluster.prefix, trusting), startEdge(cluster.prefix, trusting)]);
    const knows = async (at: Edge) =>
      (JSON.parse((await visit(at, '/readyz')).body) as { catalog_version: number }).catalog_version >= version;
    await eventually(async () => (await knows(edge)) && (await knows(second)), 30_000);
  }, 90_000);
  afterAll(async () => {
    await Promise.all([edge?.stop(), second?.stop()]);
    await cluster?.close();
  }, 60_000);

  it('macros are filled in and escaped for where they stand; unknown ones stay; drifted UTM values give way and are kept', async () => {
    const answer = await visit(edge, '/r/macros?sub1=a%26b%2Fc', { headers: { 'x-forwarded-for': GERMAN } });
    const id = clickIdIn(answer);
    expect(answer.location).toMatch(/^https:\/\/shop\.example\/garden-blog\/x\?s=a%26b%2Fc&c=[A-Z]{0,2}&u=\{unknown\}&/);
    expect(answer.location).toContain(`&click_id=${id}`);
    expect(answer.location).toMatch(/#a%26b%2Fc$/);
    expect(new URL(answer.location ?? '').searchParams.getAll('utm_source')).toEqual(['partner']);
    const click = await clickOf(answer);
    expect(click.rawUtm).toEqual({ utm_source: 'Old' });
    expect(click.utm).toMatchObject({ utm_source: 'partner', utm_medium: 'referral', utm_campaign: 'spring', utm_content: 'garden-blog' });
  });

  it('a link chooses from the convention', async () => {
    expect(new URL((await follow('chosen')).location ?? '').searchParams.get('utm_source')).toBe('newsletter');
  });

  it('phones go where phones go, and a visitor always gets the same of two choices', async () => {
    expect((await follow('phones', { 'user-agent': ANDROID })).location).toMatch(/^https:\/\/shop\.example\/phone\?/);
    const seen = new Set<string>();
    for (let i = 0; i < 24; i++) {
      const headers = { 'x-forwarded-for': `193.0.${i}.7` };
      const places = [await follow('phones', headers), await follow('phones', headers, second)].map(
        (a) => new URL(a.location ?? '').pathname,
      );
      const [cookie = ''] = ((await follow('phones', headers)).headers['set-cookie'] as string[]).map(
        (text) => text.split(';')[0] as string,
      );
      // With the cookie it no longer matters where the visitor asks from.
      const again = await follow('phones', { cookie, 'x-forwarded-for': '198.51.100.9' });
      expect(new Set([...places, new URL(again.location ?? '').pathname]).size).toBe(1);
      seen.add(places[0] as string);
    }
    expect([...seen].sort()).toEqual(['/a', '/b']);
  });

  it('before its time and after it a link leads to the fallback, its own before the program’s, and nobody is credited', async () => {
    expect((await follow('soon')).location).toBe('https://shop.example/all');
    expect((await follow('over')).location).toBe('https://shop.example/over');
  });

  it('a cap counts people over all replicas', async () => {
    await follow('capped', { 'user-agent': 'Twitterbot/1.0' });
    for (const at of [edge, second, edge]) expect(clickIdIn(await follow('capped', {}, at))).not.toBeNull();
    const isOver = async (at: Edge) => (await visit(at, '/r/capped', { method: 'HEAD' })).location === 'https://shop.example/all';
    await eventually(async () => (await isOver(edge)) && (await isOver(second)), 20_000);
    expect((await follow('capped', {}, second)).location).toBe('https://shop.example/all');
  });

  it('under a tenant’s own domain its links need no /r/, and no other tenant’s links are there', async () => {
    const host = 'GO.shop.example:443';
    const answer = await visit(edge, '/garden-spring?sid=x', { headers: { host } });
    expect((await clickOf(answer)).host).toBe('go.shop.example');
    expect(clickIdIn(await visit(edge, '/r/garden-spring', { headers: { host } }))).not.toBeNull();
    expect((await visit(edge, '/', { headers: { host } })).location).toBe('https://shop.example/');
    expect(reason(await visit(edge, '/r/garden-spring', { headers: { host: 'go.other.example' } }))).toEqual([404, 'link_unknown']);
    expect((await visit(edge, '/garden-spring', { headers: { host: 'go.other.example' } })).status).toBe(404);
    // An unknown host is nobody's: the platform's own address.
    expect(clickIdIn(await visit(edge, '/r/garden-spring', { headers: { host: 'evil.example' } }))).not.toBeNull();
    expect((await visit(edge, '/garden-spring', { headers: { host: 'evil.example' } })).status).toBe(404);
  });

  it('a phone gets a page that tries the app; the click is recorded, and others go on to the web', async () => {
    const page = await follow('app', { 'user-agent': ANDROID });
    expect([page.status, page.headers['content-type']]).toEqual([200, expect.stringContaining('text/html')]);
    const [, id = ''] =
      /click_id%3D([A-Za-z0-9_-]{32})/.exec(decodeURIComponent(page.body)) ?? /click_id=([A-Za-z0-9_-]{32})/.exec(page.body) ?? [];
    await eventually(() => cluster.clicks.some(({ clickId }) => clickId === id), 20_000);
    expect(page.body).toContain('com.acme.shop');
    expect((await follow('app')).status).toBe(302);
    expect((await follow('app', { 'user-agent': 'Twitterbot/1.0' })).status).toBe(302);
  });

  it('tells phones which app opens a domain’s links, by Host alone', async () => {
    const file = await visit(edge, '/.well-known/assetlinks.json', { headers: { host: 'go.shop.example' } });
    expect(JSON.parse(file.body)).toEqual([
      expect.objectContaining({ target: expect.objectContaining({ package_name: 'com.acme.shop' }) as object }),
    ]);
    expect(reason(await visit(edge, '/.well-known/assetlinks.json', { headers: { host: 'evil.example' } }))).toEqual([
      404,
      'domain_unknown',
    ]);
    expect(reason(await visit(edge, '/.well-known/apple-app-site-association', { headers: { host: 'go.shop.example' } }))).toEqual([
      404,
      'no_apps',
    ]);
  });
});
