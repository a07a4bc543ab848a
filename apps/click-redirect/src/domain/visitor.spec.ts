import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { isBot } from './bot';
import { readVisitor } from './visitor';

const agents = JSON.parse(readFileSync(join(__dirname, 'fixtures/user-agents.json'), 'utf8')) as { people: string[]; bots: string[] };
const CHROME = 'Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36';
const IPHONE =
  'Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.1 Mobile/15E148 Safari/604.1';
const IPAD =
  'Mozilla/5.0 (iPad; CPU OS 16_6_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/16.6 Mobile/15E148 Safari/604.1';

describe('bots', () => {
  it('takes no person for a bot: that would cost a partner money', () => expect(agents.people.filter(isBot)).toEqual([]));
  // The sample holds plain HTTP clients too, which count: somebody sent them.
  it('knows most of a sample of bots', () => expect(agents.bots.filter(isBot).length / agents.bots.length).toBeGreaterThanOrEqual(0.6));
  it.each([
    'facebookexternalhit/1.1 (+http://www.facebook.com/externalhit_uatext.php)',
    'WhatsApp/2.23.20.0',
    'TelegramBot (like TwitterBot)',
    'Twitterbot/1.0',
    'Slackbot-LinkExpanding 1.0 (+https://api.slack.com/robots)',
    'Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)',
    'Mozilla/5.0 (compatible; Discordbot/2.0; +https://discordapp.com)',
    'Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) HeadlessChrome/120.0.0.0 Safari/537.36',
  ])('knows "%s"', (agent) => expect(isBot(agent)).toBe(true));
  it.each(['', 'curl/8.5.0', 'node', 'python-requests/2.32'])('lets "%s" count: somebody sent it', (agent) =>
    expect(isBot(agent)).toBe(false),
  );
});

describe('what headers say', () => {
  it.each([
    [CHROME, 'desktop'],
    [IPHONE, 'mobile'],
    [IPAD, 'tablet'],
    ['Twitterbot/1.0', 'bot'],
  ])('%s is %s', (agent, device) => expect(readVisitor({ 'user-agent': agent }).deviceClass).toBe(device));

  it.each([
    [{ 'sec-purpose': 'prefetch;prerender' }, true],
    [{ purpose: 'prefetch' }, true],
    [{ 'x-moz': 'prefetch' }, true],
    [{ 'x-purpose': 'preview' }, true],
    [{ 'sec-fetch-mode': 'navigate' }, false],
  ])('%j: prefetch %s', (headers, prefetch) => expect(readVisitor(headers).prefetch).toBe(prefetch));

  it.each([
    ['https://Blog.Example/post?x=1', 'blog.example'],
    ['http://bücher.example/', 'xn--bcher-kva.example'],
    ['android-app://com.example/', null],
    ['javascript:alert(1)', null],
    ['https://', null],
    [`https://${'a'.repeat(300)}/`, null],
  ])('referrer %s', (referer, host) => expect(readVisitor({ referer }).referrerHost).toBe(host));

  it.each([
    ['de-AT,de;q=0.9,en;q=0.5', 'de-AT'],
    ['en', 'en'],
    ['*', null],
    ['"><script>', null],
    ['abcdefghi', null],
  ])('language %s', (header, language) => expect(readVisitor({ 'accept-language': header }).language).toBe(language));
});
