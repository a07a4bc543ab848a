export type Utm =
  | { readonly kind: 'ok'; readonly utm: Record<string, string> }
  | { readonly kind: 'refused'; readonly problems: { field: string; problem: string }[] };

const NAME = /^[a-z][a-z0-9_]{0,40}$/;
const MEDIUM = 'referral';

/**
 * `{source: 'garden'}` as `{utm_source: 'garden', utm_medium: 'referral'}`. The medium is not a partner's to choose: it is how
 * analytics tell this traffic from the rest. Nothing named, nothing put on links.
 */
export function utmOf(named: Record<string, string>): Utm {
  if (Object.keys(named).length === 0) return { kind: 'ok', utm: {} };
  const problems = Object.entries(named).flatMap(([name, value]) => {
    if (!NAME.test(name) || name.startsWith('utm_'))
      return [{ field: `utm.${name}`, problem: 'is not a UTM name: write source, campaign, term, content or id, without utm_' }];
    if (value === '') return [{ field: `utm.${name}`, problem: 'is empty; leave it out instead' }];
    if (name === 'medium' && value !== MEDIUM) return [{ field: 'utm.medium', problem: `is always "${MEDIUM}"; leave it out` }];
    return [];
  });
  if (problems.length > 0) return { kind: 'refused', problems };
  return {
    kind: 'ok',
    utm: Object.fromEntries(Object.entries({ ...named, medium: MEDIUM }).map(([name, value]) => [`utm_${name}`, value])),
  };
}

/** The other way round, for answers. */
export const namedUtm = (utm: Record<string, string>): Record<string, string> =>
  Object.fromEntries(Object.entries(utm).map(([name, value]) => [name.replace(/^utm_/, ''), value]));
