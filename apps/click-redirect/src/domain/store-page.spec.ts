import fc from 'fast-check';
import { createHash } from 'node:crypto';
import { appOsOf, SCRIPT, storePage, type StorePageOf, STYLE } from './store-page';

const clickId = 'EAAAAAABAZbcvXkAAAAAAQrT-_8zZ1yQ';
const stores = { appStoreUrl: 'https://apps.apple.com/app/id123456789', playPackage: 'com.example.app' };
const visit: StorePageOf = {
  os: 'android',
  deepLink: 'acme://products/7',
  landingUrl: `https://shop.example/spring?click_id=${clickId}`,
  clickId,
  landingParam: 'click_id',
  utm: { utm_source: 'garden blog', utm_medium: 'referral' },
  stores,
};

const plain = (text: string): string =>
  text.replaceAll('&lt;', '<').replaceAll('&gt;', '>').replaceAll('&quot;', '"').replaceAll('&#39;', "'").replaceAll('&amp;', '&');
/** What a browser reads in the page: links by their id, and where it goes by itself. */
function read(of: Partial<StorePageOf>) {
  const { html, headers } = storePage({ ...visit, ...of });
  const links = Object.fromEntries([...html.matchAll(/<a id="(\w+)" href="([^"]*)">/g)].map(([, id, url]) => [id, plain(url as string)]));
  return { html, headers, links, refresh: plain(/content="0;url=([^"]*)"/.exec(html)?.[1] ?? '') };
}
/** As Android's `Intent.parseUri` takes it apart. */
function readIntent(url: string) {
  const at = url.lastIndexOf('#Intent;');
  const fields = new Map(
    url
      .slice(at + '#Intent;'.length)
      .split(';')
      .filter((field) => field.includes('='))
      .map((field) => [field.slice(0, field.indexOf('=')), decodeURIComponent(field.slice(field.indexOf('=') + 1))]),
  );
  return { data: `${fields.get('scheme')}:${url.slice('intent:'.length, at)}`, fields };
}

describe('the page between a link and an app', () => {
  it('lets Android open the app or fall back to the Play Store, with the click id for either', () => {
    const { links, refresh } = read({});
    expect(refresh).toBe(links['app']);
    const { data, fields } = readIntent(refresh);
    expect(data).toBe(`acme://products/7?click_id=${clickId}`);
    expect(fields.get('package')).toBe('com.example.app');
    expect(fields.get('S.browser_fallback_url')).toBe(links['store']);
    const play = new URL(links['store'] as string);
    expect([play.origin + play.pathname, play.searchParams.get('id')]).toEqual([
      'https://play.google.com/store/apps/details',
      'com.example.app',
    ]);
    expect([...new URLSearchParams(play.searchParams.get('referrer') as string)]).toEqual([
      ['click_id', clickId],
      ['utm_source', 'garden blog'],
      ['utm_medium', 'referral'],
    ]);
    expect(links['web']).toBe(visit.landingUrl);
  });

  it('lets nothing speak in place of the click id', () => {
    const { links, refresh } = read({ utm: { click_id: 'other' }, deepLink: 'acme://p?click_id=other&%63lick_id=third&a=1#top' });
    expect(new URLSearchParams(new URL(links['store'] as string).searchParams.get('referrer') as string).getAll('click_id')).toEqual([
      clickId,
    ]);
    expect(readIntent(refresh).data).toBe(`acme://p?a=1&click_id=${clickId}#top`);
  });

  it('puts the click id under the program’s own parameter', () => {
    expect(read({ os: 'ios', landingParam: 'ref' }).refresh).toBe(`acme://products/7?ref=${clickId}`);
  });

  it('falls back to the web on Android where no package is named', () => {
    const { links, refresh } = read({ stores: null });
    expect(readIntent(refresh).fields.get('S.browser_fallback_url')).toBe(visit.landingUrl);
    expect([readIntent(refresh).fields.has('package'), Object.keys(links)]).toEqual([false, ['app', 'web']]);
  });

  it('tries the app on iOS and stays, so that the code can be copied on the way to the App Store', () => {
    const { links, refresh, html } = read({ os: 'ios' });
    expect(refresh).toBe(`acme://products/7?click_id=${clickId}`);
    expect(links).toEqual({ app: refresh, store: stores.appStoreUrl, web: visit.landingUrl });
    expect(html).toContain(`<output id="code">${clickId}</output>`);
    expect(html).not.toContain('<body data-onward>');
  });

  it.each([
    null,
    'https://evil.example/apps.apple.com/',
    'http://apps.apple.com/app',
    'https://apps.apple.com.evil.example/',
    'javascript:1',
  ])('leads on to the web on iOS where the App Store URL is %s', (appStoreUrl) => {
    const { links, html } = read({ os: 'ios', stores: { appStoreUrl } });
    expect(Object.keys(links)).toEqual(['app', 'web']);
    expect(html).toContain('<body data-onward>');
    expect(html).not.toContain('<output');
  });

  it('runs no script and no style but its own', () => {
    const hash = (text: string): string => createHash('sha256').update(text).digest('base64');
    const { html, headers } = read({});
    expect(headers['Content-Security-Policy']).toContain(
      `default-src 'none'; script-src 'sha256-${hash(SCRIPT)}'; style-src 'sha256-${hash(STYLE)}'`,
    );
    expect(html.match(/<script>/g)).toHaveLength(1);
    expect(html).toContain(`<script>${SCRIPT}</script>`);
    expect(html).toContain(`<style>${STYLE}</style>`);
    expect(headers).toMatchObject({ 'Cache-Control': 'no-store', 'X-Robots-Tag': 'noindex', 'Content-Type': 'text/html; charset=utf-8' });
  });

  it('holds no markup but its own, whatever the links and values are', () => {
    const text = fc.oneof(fc.string({ unit: 'binary' }), fc.string({ unit: fc.constantFrom(...`<>"'&;#=/ \n\`a`) }));
    const any: fc.Arbitrary<StorePageOf> = fc.record({
      os: fc.constantFrom('ios' as const, 'android' as const),
      deepLink: text.map((rest) => `acme:${rest}`),
      landingUrl: text.map((rest) => `https://shop.example/${rest}`),
      clickId: fc.oneof(fc.constant(clickId), text),
      landingParam: fc.oneof(fc.constant('click_id'), text),
      utm: fc.dictionary(text, text),
      stores: fc.record({
        appStoreUrl: fc.oneof(
          fc.constant(stores.appStoreUrl),
          text.map((rest) => `https://apps.apple.com/${rest}`),
        ),
        playPackage: fc.oneof(fc.constant('com.example.app'), text),
      }),
    });
    const markupOf = (html: string): string[] => html.match(/<\/?[a-z!]+|["'<>]/g) ?? [];
    fc.assert(
      fc.property(any, (of) => {
        const { links, html, refresh } = read(of);
        const like = read({ os: of.os, stores: 'store' in links ? stores : null });
        expect(markupOf(html)).toEqual(markupOf(like.html));
        expect(links['web']).toBe(of.landingUrl);
        expect(links['app']).toBe(refresh);
        expect(refresh.startsWith(of.os === 'ios' ? 'acme:' : 'intent:')).toBe(true);
      }),
      { numRuns: 500 },
    );
  });

  it.each([
    [{ bot: false, deviceClass: 'mobile', os: 'ios' }, 'ios'],
    [{ bot: false, deviceClass: 'tablet', os: 'iPadOS' }, 'ios'],
    [{ bot: false, deviceClass: 'mobile', os: 'Android' }, 'android'],
    [{ bot: true, deviceClass: 'mobile', os: 'android' }, null],
    [{ bot: false, deviceClass: 'desktop', os: 'ios' }, null],
    [{ bot: false, deviceClass: 'other', os: 'android' }, null],
    [{ bot: false, deviceClass: 'mobile', os: 'kaios' }, null],
    [{ bot: false, deviceClass: 'mobile', os: null }, null],
  ])('%j: %s', (agent, os) => expect(appOsOf(agent)).toBe(os));
});
