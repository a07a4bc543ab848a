/** What a site mostly is, for telling where a visitor came from. */
export type SiteKind = 'search' | 'social' | 'video' | 'shopping' | 'email' | 'audio';

/** The kind of a site by its host (`m.alibaba.com`, a subdomain counts as its site); null when it is not known. */
export function siteKindOf(host: string): SiteKind | null {
  const name = host.toLowerCase().replace(/\.$/, '');
  for (let at = 0; at >= 0; at = name.indexOf('.', at) + 1 || -1) {
    const kind = SITES.get(name.slice(at));
    if (kind) return kind;
  }
  return brandKindOf(name);
}

/** The kind behind the name of a source as campaigns write it: `google`, `fb`, `youtube.com`; null when it is not known. */
export function sourceKindOf(source: string): SiteKind | null {
  const name = source.toLowerCase().trim();
  return SOURCES.get(name) ?? (name.includes('.') ? siteKindOf(name) : null);
}

/** `android-app://com.linkedin.android/`: how apps name themselves as a referrer. */
export const appKindOf = (packageName: string): SiteKind | null => APPS.get(packageName) ?? null;

/** Brands with a site in most countries: `google.co.uk`, `yahoo.co.jp`, `amazon.de`. */
function brandKindOf(host: string): SiteKind | null {
  const match = /^(?:(.*?)\.)??([a-z0-9-]+)\.(?:com|[a-z]{2}|(?:com?|net|org)\.[a-z]{2})$/.exec(host);
  const brand = match && BRANDS.get(match[2] as string);
  if (!brand) return null;
  return brand.only && !brand.only.test(match[1] ?? '') ? null : brand.kind;
}

interface Brand {
  readonly kind: SiteKind;
  /** Of the subdomains these alone: behind the others are other products. */
  readonly only?: RegExp;
}

const BRANDS: ReadonlyMap<string, Brand> = new Map<string, Brand>([
  ['google', { kind: 'search', only: /^(?:www|m|images|encrypted|cse|ipv[46]|news)?$/ }],
  ['yahoo', { kind: 'search', only: /^(?:www|m|r|(?:[a-z]{2,3}\.)?(?:images\.)?search|[a-z]{2})?$/ }],
  ['bing', { kind: 'search' }],
  ['yandex', { kind: 'search', only: /^(?:www|m|images)?$/ }],
  ['ecosia', { kind: 'search' }],
  ['qwant', { kind: 'search' }],
  ['amazon', { kind: 'shopping', only: /^(?:www|m|smile)?$/ }],
  ['ebay', { kind: 'shopping' }],
  ['etsy', { kind: 'shopping' }],
  ['aliexpress', { kind: 'shopping' }],
  ['alibaba', { kind: 'shopping' }],
  ['shopee', { kind: 'shopping' }],
  ['lazada', { kind: 'shopping' }],
  ['mercadolibre', { kind: 'shopping' }],
  ['mercadolivre', { kind: 'shopping' }],
  ['allegro', { kind: 'shopping' }],
  ['zalando', { kind: 'shopping' }],
  ['ikea', { kind: 'shopping' }],
  ['idealo', { kind: 'shopping' }],
  ['rakuten', { kind: 'shopping', only: /^(?:www|search|item)?$/ }],
  ['pinterest', { kind: 'social' }],
]);

const SITES: ReadonlyMap<string, SiteKind> = new Map([
  ...listed(
    'search',
    `duckduckgo.com baidu.com search.brave.com startpage.com ask.com search.aol.com naver.com daum.net ya.ru so.com sogou.com sm.cn
     seznam.cz swisscows.com mojeek.com kagi.com dogpile.com metager.org lycos.com search.lilo.org coccoc.com rambler.ru go.mail.ru
     presearch.com excite.com onet.pl virgilio.it petalsearch.com search.yahoo.com gibiru.com info.com search.com webcrawler.com
     searchencrypt.com cn.bing.com you.com`,
  ),
  ...listed(
    'social',
    `facebook.com fb.com fb.me messenger.com instagram.com threads.net threads.com twitter.com x.com t.co linkedin.com lnkd.in
     reddit.com redd.it pin.it snapchat.com tiktok.com whatsapp.com wa.me telegram.org t.me web.telegram.org discord.com discord.gg
     discordapp.com quora.com tumblr.com vk.com ok.ru weibo.com weixin.qq.com wechat.com qzone.qq.com douban.com zhihu.com
     xiaohongshu.com line.me kakao.com bsky.app mastodon.social mastodon.online news.ycombinator.com lobste.rs medium.com substack.com
     nextdoor.com xing.com meetup.com stackoverflow.com stackexchange.com producthunt.com slashdot.org digg.com mix.com flipboard.com
     livejournal.com ameblo.jp hatena.ne.jp viadeo.com gab.com minds.com goodreads.com behance.net dribbble.com linktr.ee buffer.com
     hootsuite.com groups.google.com teams.microsoft.com slack.com viber.com`,
  ),
  ...listed(
    'video',
    `youtube.com youtu.be youtube-nocookie.com vimeo.com dailymotion.com dai.ly twitch.tv netflix.com hulu.com disneyplus.com
     bilibili.com b23.tv iqiyi.com youku.com rutube.ru nicovideo.jp rumble.com odysee.com wistia.com ted.com crackle.com peertube.tv
     kick.com veoh.com metacafe.com niconico.com v.qq.com viki.com`,
  ),
  ...listed(
    'shopping',
    `stripe.com shopify.com myshopify.com shop.app walmart.com target.com bestbuy.com costco.com homedepot.com lowes.com wayfair.com
     overstock.com newegg.com wish.com temu.com shein.com taobao.com tmall.com jd.com pinduoduo.com flipkart.com myntra.com jumia.com
     otto.de bol.com cdiscount.com fnac.com ozon.ru wildberries.ru trendyol.com hepsiburada.com coupang.com gmarket.co.kr
     shopping.yahoo.co.jp shopping.google.com pricerunner.com kelkoo.com shopzilla.com pricegrabber.com skroutz.gr ceneo.pl heureka.cz
     arukereso.hu argos.co.uk asos.com vinted.com depop.com poshmark.com gumtree.com craigslist.org leboncoin.fr kleinanzeigen.de
     slickdeals.net`,
  ),
  ...listed(
    'email',
    `mail.google.com mail.yahoo.com mail.yahoo.co.jp outlook.live.com outlook.office.com outlook.office365.com mail.aol.com mail.ru
     e.mail.ru mail.yandex.ru mail.yandex.com mail.proton.me protonmail.com webmail.gmx.net navigator.gmx.net web.de app.fastmail.com
     mail.zoho.com mail.zoho.eu mail.qq.com mail.163.com mail.naver.com icloud.com tutanota.com app.hey.com deref-gmx.net deref-web.de
     deref-mail.com email.t-online.de roundcube.net`,
  ),
  ...listed(
    'audio',
    `spotify.com soundcloud.com podcasts.apple.com podcasts.google.com music.apple.com music.amazon.com deezer.com pandora.com
     tidal.com overcast.fm pocketcasts.com castbox.fm stitcher.com iheart.com audible.com mixcloud.com`,
  ),
]);

const SOURCES: ReadonlyMap<string, SiteKind> = new Map([
  ...listed(
    'search',
    `google googleads google-ads google_ads adwords bing bingads microsoft msn yahoo yandex baidu duckduckgo ecosia qwant brave naver
     daum seznam sogou ask aol startpage apple_search_ads`,
  ),
  ...listed(
    'social',
    `facebook fb face_book facebook_ads meta messenger instagram ig insta threads twitter x tweet linkedin li reddit pinterest snapchat
     tiktok tik_tok whatsapp telegram discord quora tumblr vk weibo wechat line kakao bluesky mastodon hackernews hn medium substack
     social slack xing`,
  ),
  ...listed('video', 'youtube yt vimeo dailymotion twitch netflix hulu bilibili rumble'),
  ...listed(
    'shopping',
    `amazon ebay etsy walmart target aliexpress alibaba shopify shop shopping google_shopping googleshopping google-shopping stripe
     temu shein taobao tmall rakuten idealo flipkart mercadolibre`,
  ),
  ...listed(
    'email',
    `email e-mail e_mail newsletter mailchimp klaviyo sendgrid mailerlite brevo sendinblue campaign-monitor activecampaign convertkit
     beehiiv gmail outlook customer.io braze iterable hs_email`,
  ),
  ...listed('audio', 'spotify soundcloud podcast podcasts pandora deezer audio'),
]);

const APPS: ReadonlyMap<string, SiteKind> = new Map([
  ...listed('search', `com.google.android.googlequicksearchbox com.google.android.googlequicksearchbox.https com.microsoft.bing`),
  ...listed('social', `com.facebook.katana com.instagram.android com.linkedin.android com.twitter.android com.reddit.frontpage`),
  ...listed('social', `com.zhiliaoapp.musically com.pinterest org.telegram.messenger org.telegram.plus com.slack com.whatsapp`),
  ...listed('video', 'com.google.android.youtube tv.twitch.android.app'),
  ...listed('email', 'com.google.android.gm com.microsoft.office.outlook com.yahoo.mobile.client.android.mail'),
]);

function listed(kind: SiteKind, names: string): [string, SiteKind][] {
  return names.split(/\s+/).map((name) => [name, kind]);
}
