import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { readAgent } from './visitor';

interface Agents {
  readonly people: string[];
  readonly bots: string[];
  readonly instances: string[];
  readonly missed: string[];
}
const agents = JSON.parse(readFileSync(join(__dirname, 'fixtures/user-agents.json'), 'utf8')) as Agents;
const bot = (userAgent: string): boolean => readAgent(userAgent).bot;
const IN_IOS = 'Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148';
const IN_ANDROID =
  'Mozilla/5.0 (Linux; Android 14; SM-S918B Build/UP1A.231005.007; wv) AppleWebKit/537.36 (KHTML, like Gecko) Version/4.0 Chrome/126.0.6478.71 Mobile Safari/537.36';

describe('bots', () => {
  it('takes no person for a bot: that would cost a partner money', () => expect(agents.people.filter(bot)).toEqual([]));
  it('knows every bot of isbot’s own sample', () => expect(agents.bots.filter((agent) => !bot(agent))).toEqual([]));
  it('knows the bots of others, but for those in a browser’s clothes', () => {
    expect(agents.instances.filter((agent) => !bot(agent))).toEqual([]);
    expect(agents.missed.filter(bot)).toEqual([]);
  });

  it.each([
    'SmartNews/24.1',
    'NewsArticle/9.1.4 ByteLocale/en',
    'BBCNews',
    'Instagram 309.0.0.40.113 Android (34/14; 480dpi; 1080x2115; samsung; SM-S918B; dm3q; qcom; en_GB; 536988427)',
    '[FB_IAB/FB4A;FBAV/468.0.0.45.78;]',
    'musical_ly_2023401040 JsSdk/1.0 NetType/WIFI Channel/googleplay AppName/musical_ly ByteLocale/en Region/GB',
    'Pinterest for Android/12.20.0',
    'LinkedInApp/9.29',
    'Twitter for iPhone/10.44',
    'Snapchat/12.90 (like Safari/8618.2.12, panda)',
    'Line/14.8.0/IAB',
    'WhatsApp/2.24.10.5',
    'Tumblr/34.5',
    'MicroMessenger/8.0.49(0x18003137) NetType/WIFI Language/en',
  ])('takes who reads in "%s" for a person', (app) =>
    expect([IN_IOS, IN_ANDROID].map((web) => bot(`${web} ${app}`))).toEqual([false, false]),
  );

  it('takes phones with odd names for phones', () => {
    for (const phone of ['CUBOT X30', 'CUBOT_NOTE_S', 'Google Nexus 6', 'Google Pixel 8'])
      expect(
        bot(`Mozilla/5.0 (Linux; Android 9; ${phone}) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Mobile Safari/537.36`),
      ).toBe(false);
  });

  it('knows a crawler in a phone’s clothes', () => {
    const google = '(compatible; Googlebot/2.1; +http://www.google.com/bot.html)';
    expect(
      bot(`Mozilla/5.0 (Linux; Android 6.0.1; Nexus 5X Build/MMB29P) AppleWebKit/537.36 Chrome/126.0 Mobile Safari/537.36 ${google}`),
    ).toBe(true);
    expect(bot(`${IN_IOS} AppleNewsBot`)).toBe(true);
  });

  it.each(['curl/8.5.0', 'node', 'python-requests/2.32', 'axios/1.7.2', 'Go-http-client/2.0'])(
    '"%s" is a program, and nobody’s visit',
    (agent) => expect(readAgent(agent)).toEqual({ bot: true, unfurler: false, deviceClass: 'bot', os: null }),
  );

  it.each([undefined, ''])('without a user agent (%j) nobody is called a bot', (agent) =>
    expect(readAgent(agent)).toEqual({ bot: false, unfurler: false, deviceClass: 'other', os: null }),
  );
});

describe('who draws a preview', () => {
  it.each([
    'facebookexternalhit/1.1 (+http://www.facebook.com/externalhit_uatext.php)',
    'Facebot/1.0',
    'WhatsApp/2.23.20.0 A',
    'TelegramBot (like TwitterBot)',
    'Twitterbot/1.0',
    'Slackbot-LinkExpanding 1.0 (+https://api.slack.com/robots)',
    'Slack-ImgProxy 0.66 (+https://api.slack.com/robots)',
    'Mozilla/5.0 (compatible; Discordbot/2.0; +https://discordapp.com)',
    'LinkedInBot/1.0 (compatible; Mozilla/5.0; Apache-HttpClient +http://www.linkedin.com)',
    'Mozilla/5.0 (Windows NT 6.1; WOW64) SkypeUriPreview Preview/0.5 skype-url-preview@microsoft.com',
    'Mozilla/5.0 (Macintosh; Intel Mac OS X 10_11_1) AppleWebKit/601.2.4 (KHTML, like Gecko) Version/9.0.1 Safari/601.2.4 facebookexternalhit/1.1 Facebot Twitterbot/1.0',
    'facebookexternalhit/1.1;line-poker/1.0',
    'facebookexternalhit/1.1; kakaotalk-scrap/1.0; +https://devtalk.kakao.com/t/scrap/33984',
    'Pinterest/0.2 (+http://www.pinterest.com/bot.html)',
    'http.rb/5.1.1 (Mastodon/4.2.8; +https://mastodon.social/)',
    'Mastodon/4.3.0 (http.rb/5.2.0; +https://mastodon.social/)',
    'Mozilla/5.0 (compatible; Bluesky Cardyb/1.1; +mailto:support@bsky.app)',
    'Synapse (bot; +https://github.com/matrix-org/synapse)',
    'Mozilla/5.0 (compatible; redditbot/1.0; +http://www.reddit.com/feedback)',
    'Iframely/1.3.1 (+https://iframely.com/docs/about) Atlassian',
    'Snap URL Preview Service; bot; snapchat; https://developers.snap.com/robots',
    'Discourse Forum Onebox v3.3.0.beta1-dev',
    'Quora Link Preview/1.0 (http://www.quora.com)',
  ])('%s', (agent) => expect(readAgent(agent)).toMatchObject({ bot: true, unfurler: true, deviceClass: 'bot' }));

  it.each([
    'Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)',
    'Mozilla/5.0 (compatible; bingbot/2.0; +http://www.bing.com/bingbot.htm)',
    'Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) HeadlessChrome/120.0.0.0 Safari/537.36',
    'curl/8.5.0',
  ])('%s is a bot and draws none', (agent) => expect(readAgent(agent)).toMatchObject({ bot: true, unfurler: false }));
});
