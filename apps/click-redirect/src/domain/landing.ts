/** A destination, rendered once: a redirect joins the pieces and nothing else. */
export interface Landing {
  /** With our parameters, without a click id. */
  readonly plain: string;
  /** What stands before the click id and after it. */
  readonly head: string;
  readonly tail: string;
}

export const withClickId = ({ head, tail }: Landing, clickId: string): string => head + clickId + tail;

/**
 * Puts the UTM parameters and the place of the click id on a destination. What the destination brings stays as it is, byte for byte and in
 * its order; parameters that bear one of our names are taken out, so that nothing can speak in our place. `href` is what `checkDestination` gave.
 */
export function landingOf(href: string, utm: Readonly<Record<string, string>>, landingParam: string): Landing {
  const hashAt = href.indexOf('#');
  const tail = hashAt < 0 ? '' : href.slice(hashAt);
  const page = hashAt < 0 ? href : href.slice(0, hashAt);
  const queryAt = page.indexOf('?');
  const path = queryAt < 0 ? page : page.slice(0, queryAt);
  const governed = Object.entries(utm).filter(([name]) => name !== landingParam);
  const ours = new Set([landingParam, ...governed.map(([name]) => name)]);
  const own = queryAt < 0 ? '' : kept(page.slice(queryAt + 1), ours);
  const query = join(own, new URLSearchParams(governed).toString());
  return {
    plain: (query === '' ? path : `${path}?${query}`) + tail,
    head: `${path}?${join(query, `${new URLSearchParams([[landingParam, '']]).toString()}`)}`,
    tail,
  };
}

const join = (a: string, b: string): string => (a === '' || b === '' ? a + b : `${a}&${b}`);

function kept(query: string, ours: ReadonlySet<string>): string {
  const parts = query.split('&');
  const rest = parts.filter((part) => !ours.has(nameOf(part)));
  return rest.length === parts.length ? query : rest.join('&');
}

/** As the destination's server reads it: escapes and plus signs undone. */
function nameOf(part: string): string {
  // The leading & keeps a name that begins with ? as it is.
  for (const [name] of new URLSearchParams(`&${part}`)) return name;
  return '';
}
export interface MacroValues { readonly partnerKey: string | null; readonly partnerId: string; readonly programId: string; readonly linkId: string; readonly slug: string; readonly subIds: Readonly<Record<string, string>>; readonly country: string | null; readonly device: string; readonly os: string | null; readonly visitorId: string | null; readonly atMs: number }
export const render = (landing: Landing, _values: MacroValues, clickId: string | null): string => (clickId === null ? landing.plain : withClickId(landing, clickId));
