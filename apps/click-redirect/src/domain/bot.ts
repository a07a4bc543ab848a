/** What people's browsers begin with. */
const BROWSER = /^(?:mozilla|opera)\//i;
/** In a browser's clothes: crawlers, link previews, monitors, renderers. Names of phones (CUBOT) and apps (CamScanner) are let pass. */
const BOT_IN_BROWSER =
  /(?<!cu)bot\b|(?<!cu)bot[/_;)-]|robot|crawl|spider|slurp|(?<!cam)scan(?:ner)?\b|preview|unfurl|fetcher|monitor|uptime|pingdom|check(?:er)?\b|linkcheck|validator|archive|\bfeed|\brss|reader|headless|phantomjs|selenium|puppeteer|playwright|cypress|lighthouse|page ?speed|prerender|facebookexternalhit|embedly|google(?:-| web|weblight|other|docs|imageproxy|messages| favicon| search console)|mediapartners|yahoo!|catchpoint|dejaclick|dynatrace|gomezagent|thousandeyes|site24x7|newrelic|synthetic|observatory|nutch|nikto|wappalyzer|burpcollaborator|transcoder|proxy|sitemap|[ -]agent\b|libwww|https? ?client|https?:\/\/|www\.|[a-z0-9-]@[a-z0-9-]+\.[a-z]|compatible; (?!msie|konqueror|opera|u; abrowse|ibrowse|amiga|netpositive|ms-office|voyager|omniweb|icab)[a-z]+[a-z0-9 ._-]*\/?\d/i;
/** Without a browser's beginning, but in a person's hand: apps, old phones, text browsers, mail programs. */
const PERSON =
  /dalvik|cfnetwork|iphone|ipad|\bios[ /]|android|midp|blackberry|nokia|samsung|sonyericsson|^mot-|^lynx\/|^e?links[ /]|^w3m\/|mosaic|outlook|microsoft office|applewebkit|amiga|^ibrowse|windows (?:nt|phone)|ucweb|cldc|playstation|ps4|roku|sonos|mobile/i;
const PROGRAM = /bot|crawl|spider|curl|wget|python|java\/|okhttp|https?:\/\/|feed|podcast|rss|monitor|check|preview/i;

/**
 * Whether a program fetches for itself. Coarse on purpose, and careful: a person taken for a bot costs a partner money, a bot taken for a
 * person only costs a look by fraud scoring.
 */
export function isBot(userAgent: string): boolean {
  // A browser always says what it is.
  if (userAgent.trim() === '') return true;
  if (BROWSER.test(userAgent)) return BOT_IN_BROWSER.test(userAgent);
  return !PERSON.test(userAgent) || PROGRAM.test(userAgent);
}
