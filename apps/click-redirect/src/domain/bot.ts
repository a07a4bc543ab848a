import { isbot } from 'isbot';

/** Programs that fetch a page to draw a preview of it for a message or a post. iMessage names itself as three of them at once. */
const UNFURLER = new RegExp(
  [
    // Social networks.
    String.raw`facebookexternalhit|facebookcatalog|facebot\b|twitterbot|linkedinbot|redditbot|pinterest(?:bot)?/\d[\d.]* ?\(\+?http`,
    String.raw`tumblr/|vkshare|odklbot|bitlybot|snap url preview|\+/web/snippet|xing-contenttabreceiver`,
    // The open ones: Mastodon and its kin, Bluesky, Matrix, forums.
    String.raw`mastodon/|pleroma|akkoma|misskey|summalybot|friendica|lemmy/|peertube|bluesky cardyb|synapse[ /]|discourse forum onebox`,
    // Messengers and offices.
    String.raw`whatsapp/|telegrambot|discordbot|slackbot|slack-imgproxy|skypeuripreview|skype-url-preview|(?:^|\()teams(?:bot)?/`,
    String.raw`^viber(?:/[\d.]+)?$|line-poker|linespider|kakaotalk-scrap|mattermost|rocket\.?chat|zulip(?:url| url)|yahoo link preview`,
    // Services that draw previews for others, and what merely says so.
    String.raw`embedly|iframely|(?:link|url)[ _-]?(?:preview|unfurl|expand)`,
  ].join('|'),
  'i',
);

/** Readers of news, in-app browsers of people: isbot takes their names for those of crawlers. Apple's and Google's crawlers say "bot". */
const NEWS_APP = / (?:[a-z]+news|news[a-z]+)(?=\/| |$)/gi;
const IN_APP = /\bwv\)|\bMobile\//;
/** Phones that bear Google's name. */
const GOOGLE_PHONE = /; google (?=nexus)/i;
/** Whether a bot draws a preview of the link for people who may follow it. Apps bear these names as well: ask only of what is a bot. */
export const isUnfurler = (userAgent: string): boolean => UNFURLER.test(userAgent);

/**
 * Whether a program follows the link: crawlers, previews, monitors, HTTP libraries. By isbot's patterns, mended where they would take a person
 * for a bot, which costs a partner money. Without a user agent: no bot, for privacy tools take it away.
 */
export function isBot(userAgent: string): boolean {
  const named = userAgent.replace(GOOGLE_PHONE, '; ');
  return isbot(IN_APP.test(named) ? named.replace(NEWS_APP, '') : named);
}
