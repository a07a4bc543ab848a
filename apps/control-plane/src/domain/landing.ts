/** What stands where each visitor's click id will. */
export const CLICK_ID_PLACE = '{click_id}';

// The names under which the trade writes the click id into a destination.
const CLICK_ID_MACRO = /^(?:\{|%7[Bb])(?:click_id|clickid|cid|transaction_id|irclickid|dub_id|ps_xid)(?:\}|%7[Dd])$/;

/**
 * The URL on which a visitor lands, with a place for the click id. The rules are those of the redirect: what the destination brings stays as
 * it is, byte for byte and in its order; parameters that bear one of our names give way; ours follow, the click id last. Other macros of the
 * destination stand as they are written. `href` is what `checkDestination` gave.
 */
export function landingPage(href: string, utm: Readonly<Record<string, string>>, landingParam: string): string {
  const hashAt = href.indexOf('#');
  const page = hashAt < 0 ? href : href.slice(0, hashAt);
  const queryAt = page.indexOf('?');
  const governed = Object.entries(utm).filter(([name]) => name !== landingParam);
  const ours = new Set([landingParam, ...governed.map(([name]) => name)]);
  const parts = queryAt < 0 ? [] : page.slice(queryAt + 1).split('&');
  const placedAt = parts.findIndex((part) => nameOf(part) === landingParam && CLICK_ID_MACRO.test(part.slice(part.indexOf('=') + 1)));
  const own = parts.filter((part, i) => i === placedAt || !ours.has(nameOf(part))).join('&');
  const id = placedAt < 0 ? new URLSearchParams([[landingParam, '']]).toString() + CLICK_ID_PLACE : '';
  const query = [own, new URLSearchParams(governed).toString(), id].filter((part) => part !== '').join('&');
  return (queryAt < 0 ? page : page.slice(0, queryAt)) + (query === '' ? '' : `?${query}`) + (hashAt < 0 ? '' : href.slice(hashAt));
}

/** As the destination's server reads it: escapes and plus signs undone. */
function nameOf(part: string): string {
  // The leading & keeps a name that begins with ? as it is.
  for (const [name] of new URLSearchParams(`&${part}`)) return name;
  return '';
}
