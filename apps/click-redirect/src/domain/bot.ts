/** Crawlers, link previews, monitors, renderers: what fetches unasked. Names of phones (CUBOT) and apps (CamScanner) are let pass. */
const CRAWLER =
  /(?<!cu)bot\b|(?<!cu)bot[/_;)-]|robot|crawl|spider|slurp|(?<!cam)scan(?:ner)?\b|preview|unfurl|fetcher|monitor|uptime|pingdom|check(?:er)?\b|linkcheck|validator|archive|\bfeed|\brss|reader|headless|phantomjs|selenium|puppeteer|playwright|cypress|lighthouse|page ?speed|prerender|facebookexternalhit|whatsapp\/|embedly|google(?:-| web|weblight|other|docs|imageproxy|messages| favicon| search console)|mediapartners|yahoo!|catchpoint|dejaclick|dynatrace|gomezagent|thousandeyes|site24x7|newrelic|synthetic|observatory|nutch|nikto|wappalyzer|burpcollaborator|transcoder|proxy|sitemap|[ -]agent\b|libwww|https? ?client|https?:\/\/|www\.|[a-z0-9-]@[a-z0-9-]+\.[a-z]|compatible; (?!msie|konqueror|opera|u; abrowse|ibrowse|amiga|netpositive|ms-office|voyager|omniweb|icab)[a-z]+[a-z0-9 ._-]*\/?\d/i;
/**
 * Whether a program fetches the link unasked. Careful on purpose: a visitor taken for a bot costs a partner money, a bot taken for a visitor
 * only costs a look by fraud scoring. A plain HTTP client (curl, a server that follows the link for its user) acts for somebody, and counts.
 */
export const isBot = (userAgent: string): boolean => CRAWLER.test(userAgent);
