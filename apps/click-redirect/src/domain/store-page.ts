import { ANDROID_PACKAGE, type AppStores } from '@baton/contracts';

export type AppOs = 'ios' | 'android';

export interface StorePageOf {
  readonly os: AppOs;
  /** Its scheme was checked against the program's. */
  readonly deepLink: string;
  /** Where the link leads without the app, with the click id; checked. */
  readonly landingUrl: string;
  readonly clickId: string;
  readonly landingParam: string;
  /** Governed values, for the Play Store's own reports and the app. */
  readonly utm: Readonly<Record<string, string>>;
  readonly stores: AppStores | null;
}

/** A 200. */
export interface StorePage {
  readonly html: string;
  readonly headers: Readonly<Record<string, string>>;
}

/** The phone whose app a deep link is for; null for who gets the web. `os` as the User-Agent names it. */
export function appOsOf(agent: { readonly bot: boolean; readonly deviceClass: string; readonly os: string | null }): AppOs | null {
  if (agent.bot || (agent.deviceClass !== 'mobile' && agent.deviceClass !== 'tablet')) return null;
  const os = agent.os?.toLowerCase() ?? '';
  if (os === 'android') return 'android';
  return os === 'ios' || os === 'ipados' ? 'ios' : null;
}

/**
 * Tries the app, and leads who has not got it to the store, else to the web. Works without script: script only copies the code on iOS, and
 * takes who has neither app nor store to the web.
 *
 * On Android the browser itself decides, by an `intent:` URL with a fallback, and the Play Store hands the click id to the app. A 302 to
 * `intent:` would be shorter, but a browser that does not know it shows an error there, where this page still shows its links. iOS tells
 * nobody whether an app is there and hands nothing through its store: the page stays, and its button copies the code that the app asks for.
 */
export function storePage(of: StorePageOf): StorePage {
  const app = withParameter(of.deepLink, of.landingParam, of.clickId);
  const store = of.os === 'android' ? playUrl(of) : appStoreUrl(of.stores);
  const opens = of.os === 'android' ? intentUrl(app, of.stores, store ?? of.landingUrl) : app;
  const copies = of.os === 'ios' && store !== null;
  const parts = [
    link('app', opens, 'Open in the app'),
    ...(store === null ? [] : [link('store', store, copies ? 'Copy the code and get the app' : 'Get the app')]),
    ...(copies ? [`<p>The app may ask for this code: <output id="code">${escaped(of.clickId)}</output></p>`] : []),
    link('web', of.landingUrl, 'Continue on the web'),
  ];
  // Only where there is no store: who is taken to a store cannot copy the code any more.
  const onward = of.os === 'ios' && store === null ? ' data-onward' : '';
  return {
    html: `${OPENING}<meta http-equiv="refresh" content="0;url=${escaped(opens)}"></head><body${onward}><main>${parts.join('')}</main>${CLOSING}`,
    headers: HEADERS,
  };
}

/** `click_id` comes first, so that nothing which cuts the text can cut it off. */
function playUrl({ stores, clickId, utm }: StorePageOf): string | null {
  const name = stores?.playPackage;
  if (!name || !ANDROID_PACKAGE.test(name)) return null;
  const governed = Object.entries(utm).filter(([parameter]) => parameter !== 'click_id');
  const referrer = new URLSearchParams([['click_id', clickId], ...governed]).toString();
  return `https://play.google.com/store/apps/details?id=${name}&referrer=${encodeURIComponent(referrer)}`;
}

/** The terms hold any URL: one that is not Apple's would make this page lead anywhere. */
function appStoreUrl(stores: AppStores | null): string | null {
  const url = stores?.appStoreUrl ?? '';
  return /^https:\/\/(apps|itunes)\.apple\.com\/[^\s\\]*$/.test(url) ? url : null;
}

/** Readers take what stands behind the last `#`, so a fragment of the deep link's own stays its own. */
function intentUrl(deepLink: string, stores: AppStores | null, fallback: string): string {
  const colonAt = deepLink.indexOf(':');
  const name = stores?.playPackage && ANDROID_PACKAGE.test(stores.playPackage) ? `package=${stores.playPackage};` : '';
  return `intent:${deepLink.slice(colonAt + 1)}#Intent;scheme=${deepLink.slice(0, colonAt).toLowerCase()};${name}S.browser_fallback_url=${encodeURIComponent(fallback)};end`;
}

/** As on the web the click id stands under the landing parameter, and whatever bore that name before is gone. */
function withParameter(url: string, name: string, value: string): string {
  const hashAt = url.indexOf('#');
  const page = hashAt < 0 ? url : url.slice(0, hashAt);
  const queryAt = page.indexOf('?');
  const path = queryAt < 0 ? page : page.slice(0, queryAt);
  const own = queryAt < 0 ? [] : page.slice(queryAt + 1).split('&');
  const kept = own.filter((part) => part !== '' && nameOf(part) !== name);
  const query = [...kept, new URLSearchParams([[name, value]]).toString()].join('&');
  return `${path}?${query}${hashAt < 0 ? '' : url.slice(hashAt)}`;
}

/** The leading & keeps a name that begins with ? as it is. */
const nameOf = (part: string): string => [...new URLSearchParams(`&${part}`).keys()][0] ?? '';

const link = (id: string, url: string, text: string): string => `<a id="${id}" href="${escaped(url)}">${text}</a>`;

const ESCAPES: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' };
const escaped = (text: string): string => text.replace(/[&<>"']/g, (character) => ESCAPES[character] as string);

export const STYLE =
  'body{margin:0;font:1.1rem/1.5 system-ui,sans-serif;background:#fff;color:#111}main{max-width:24rem;margin:15vh auto 0;padding:0 1.25rem;text-align:center}' +
  'a{display:block;margin:.75rem 0;padding:.8rem;border:1px solid #111;border-radius:.6rem;color:inherit;text-decoration:none}#app{background:#111;color:#fff}' +
  'output{display:block;overflow-wrap:anywhere;font-family:ui-monospace,monospace;user-select:all}';

/** The tap on the store's link is what allows the copying. Copied or not, the link is followed. */
export const SCRIPT =
  "(function(){var d=document,s=d.getElementById('store'),c=d.getElementById('code');" +
  "if(s&&c)s.addEventListener('click',function(e){if(!navigator.clipboard)return;e.preventDefault();var go=function(){location.href=s.href};" +
  'navigator.clipboard.writeText(c.textContent).then(go,go)});' +
  "if(d.body.hasAttribute('data-onward'))setTimeout(function(){if(d.visibilityState==='visible')location.replace(d.getElementById('web').href)},2500)})()";

// Both texts are always the same, so their hashes stand here, and no page needs a nonce of its own.
const POLICY = [
  "default-src 'none'",
  "script-src 'sha256-Xm2+HmTmvlfUCOWloowmHxFZqXfMXLqn4s2yxknYfGA='",
  "style-src 'sha256-iJfGlnlLLGLClyS/3ZZzhwz1xPdfLpKCiw5/T4jZVI0='",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ');

const HEADERS = {
  'Content-Type': 'text/html; charset=utf-8',
  'Content-Security-Policy': POLICY,
  'Cache-Control': 'no-store',
  // As of a redirect: who is led on learns the site, not the page.
  'Referrer-Policy': 'strict-origin-when-cross-origin',
  'X-Robots-Tag': 'noindex',
  'X-Content-Type-Options': 'nosniff',
  'X-Frame-Options': 'DENY',
};

const OPENING =
  '<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1">' +
  `<title>Open in the app</title><style>${STYLE}</style>`;
const CLOSING = `<script>${SCRIPT}</script></body></html>`;
