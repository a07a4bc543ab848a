import { createLog } from '@baton/platform';
import { serve } from '@baton/platform/testing';
import { request } from 'node:http';
import { type AppDomain, AppLinksController } from './app-links.controller';

const APPLE = '/.well-known/apple-app-site-association';
const ANDROID = '/.well-known/assetlinks.json';
const fingerprint = Array.from({ length: 32 }, () => 'C1').join(':');
const apps: AppDomain = {
  state: 'active',
  appleApps: [{ appId: 'ABCDE12345.com.example.app', paths: ['/r/*'] }],
  androidApps: [{ package: 'com.example.app', fingerprints: [fingerprint] }],
};
const DOMAINS: Readonly<Record<string, AppDomain>> = {
  'go.shop.example': apps,
  'paused.example': { ...apps, state: 'disabled' },
  'bare.example': { state: 'active', appleApps: [], androidApps: [] },
};

interface Answer {
  readonly status: number | undefined;
  readonly headers: Record<string, string | string[] | undefined>;
  readonly body: string;
}

describe('the files that tie a domain to its apps, over HTTP', () => {
  const known = { isLoaded: true, domain: (host: string) => DOMAINS[host] };
  let server: Awaited<ReturnType<typeof start>>;
  const start = (domains = known) =>
    serve({ parts: [], routes: (http) => new AppLinksController(domains).routes(http) }, createLog('test', 'silent'));
  beforeAll(async () => {
    server = await start();
  });
  afterAll(() => server?.stop());

  const get = (path: string, host: string, url = server.url): Promise<Answer> =>
    new Promise((resolve, reject) =>
      request(`${url}${path}`, { headers: { host } }, (response) => {
        let body = '';
        response.setEncoding('utf8').on('data', (text: string) => (body += text));
        response.on('end', () => resolve({ status: response.statusCode, headers: response.headers, body }));
      })
        .on('error', reject)
        .end(),
    );

  it('are JSON, for everybody and for five minutes', async () => {
    for (const path of [APPLE, ANDROID]) {
      const { status, headers } = await get(path, 'GO.shop.example:443');
      expect([status, headers['content-type'], headers['cache-control'], headers['location']]).toEqual([
        200,
        'application/json',
        'public, max-age=300',
        undefined,
      ]);
    }
    expect(JSON.parse((await get(APPLE, 'go.shop.example')).body)).toEqual({
      applinks: {
        details: [{ appIDs: ['ABCDE12345.com.example.app'], components: [{ '#': 'no_universal_links', exclude: true }, { '/': '/r/*' }] }],
      },
    });
    expect(JSON.parse((await get(ANDROID, 'go.shop.example')).body)).toEqual([
      {
        relation: ['delegate_permission/common.handle_all_urls'],
        target: { namespace: 'android_app', package_name: 'com.example.app', sha256_cert_fingerprints: [fingerprint] },
      },
    ]);
  });

  it.each([
    ['other.example', 'domain_unknown'],
    ['paused.example', 'domain_disabled'],
    ['bare.example', 'no_apps'],
    ['go.shop.example/evil', 'domain_unknown'],
    ['__proto__', 'domain_unknown'],
  ])('are not there for %s, with the reason %s, and nobody keeps that', async (host, reason) => {
    for (const path of [APPLE, ANDROID]) {
      const { status, headers, body } = await get(path, host);
      expect([status, headers['content-type'], headers['cache-control']]).toEqual([
        404,
        expect.stringContaining('application/problem+json'),
        'no-store',
      ]);
      expect(JSON.parse(body)).toMatchObject({ code: 'not_found', reason });
      expect(body).not.toContain('evil');
    }
  });

  it('wait for the catalog', async () => {
    const early = await start({ ...known, isLoaded: false });
    const { status, headers } = await get(APPLE, 'go.shop.example', early.url);
    expect([status, headers['retry-after']]).toEqual([503, '2']);
    await early.stop();
  });
});
