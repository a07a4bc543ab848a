import { type AppStores, checkDestination, type EntityState, type LinkData, type UtmConvention } from '@baton/contracts';
import { deepLinkOf } from './deep-link';
import { type Landing, landingOf } from './landing';
import { aim, type Aimed, type Target, targetsOf } from './targeting';
import { utmOf } from './utm';

/** What the redirect needs of one version of a program's terms. */
export interface Terms {
  readonly version: number;
  readonly validFromMs: number;
  readonly state: EntityState;
  readonly hosts: readonly string[];
  readonly allowHttp: boolean;
  readonly landingParam: string;
  /** Put on destinations where there is no convention. */
  readonly utm: Readonly<Record<string, string>>;
  readonly utmConvention: UtmConvention | null;
  readonly fallbackUrl: string | null;
  readonly deepLinkSchemes: readonly string[];
  readonly appStores: AppStores | null;
}

export type PlannedLink = Pick<
  LinkData,
  'state' | 'destination' | 'utm' | 'startsAt' | 'endsAt' | 'clickCap' | 'fallbackUrl' | 'targets' | 'deepLink'
>;

export type Refusal =
  | 'link_unknown'
  | 'link_disabled'
  | 'link_deleted'
  | 'link_not_begun'
  | 'link_ended'
  | 'link_capped'
  | 'program_unknown'
  | 'program_not_begun'
  | 'program_disabled'
  | 'program_deleted'
  | 'partner_disabled'
  | 'partner_deleted'
  | 'destination_refused';

export type Decision =
  | { readonly kind: 'redirect'; readonly landing: Landing }
  /** The visitor still arrives somewhere, and nobody is credited. */
  | { readonly kind: 'fallback'; readonly url: string; readonly reason: Refusal }
  | { readonly kind: 'refused'; readonly reason: Refusal };

/** All that can be decided of a link before anybody follows it. */
export interface Plan {
  /** Stands above all else: the link, its program or its partner is not active. */
  readonly standing: Decision | null;
  readonly startsAtMs: number;
  readonly endsAtMs: number;
  readonly clickCap: number | null;
  readonly notBegun: Decision;
  readonly ended: Decision;
  readonly capped: Decision;
  readonly targets: readonly Target<Decision>[];
  /** For whom no target fits. */
  readonly otherwise: Decision;
  /** Null: none, or not one of the program's schemes. */
  readonly deepLink: string | null;
  /** Whether a country changes where visitors go, or what the URL says. */
  readonly needsPlace: boolean;
  /** The UTM values that are put on. */
  readonly utm: Record<string, string>;
  /** UTM values of the link's own destination that gave way; those of a target's choice are on its landing. */
  readonly rawUtm: Record<string, string>;
}

/** `counted`: clicks of this link so far; looked at only where the plan has a cap. */
export interface Asked extends Aimed {
  readonly atMs: number;
  readonly counted: number;
}

/** The version in force at an instant: the highest that is valid from it or earlier. `versions` is sorted, highest first. */
export const termsInForce = (versions: readonly Terms[], atMs: number): Terms | undefined =>
  versions.find((terms) => terms.validFromMs <= atMs);

/** Where this visitor goes. Hot: it parses nothing, and what it returns lies ready in the plan. */
export function decide(plan: Plan, asked: Asked): Decision {
  if (plan.standing !== null) return plan.standing;
  if (asked.atMs < plan.startsAtMs) return plan.notBegun;
  if (asked.atMs >= plan.endsAtMs) return plan.ended;
  if (plan.clickCap !== null && asked.counted >= plan.clickCap) return plan.capped;
  return aim(plan.targets, asked) ?? plan.otherwise;
}

/**
 * Made once for a link and its terms. Every destination is checked here again, also fallbacks: the program's list of hosts may have changed
 * since they were stored.
 */
export function planOf({
  link,
  terms,
  partner,
  isProgramKnown,
}: {
  link: PlannedLink;
  terms: Terms | undefined;
  partner: { readonly state: EntityState; readonly key: string | null };
  isProgramKnown: boolean;
}): Plan {
  const elsewhere = elsewhereOf(link, terms);
  const utm = terms ? utmOf(terms, link.utm, partner.key) : {};
  const redirectTo = (destination: string): Decision | null => {
    const check = terms && checkDestination(destination, terms);
    return terms && check?.kind === 'ok' ? { kind: 'redirect', landing: landingOf(check.href, utm, terms.landingParam) } : null;
  };
  const otherwise = redirectTo(link.destination) ?? elsewhere('destination_refused');
  const targets = link.targets ?? [];
  const refusal = refusalOf(link.state, terms, partner.state, isProgramKnown);
  return {
    standing: refusal && elsewhere(refusal),
    startsAtMs: link.startsAt ? Date.parse(link.startsAt) : -Infinity,
    endsAtMs: link.endsAt ? Date.parse(link.endsAt) : Infinity,
    clickCap: link.clickCap ?? null,
    notBegun: elsewhere('link_not_begun'),
    ended: elsewhere('link_ended'),
    capped: elsewhere('link_capped'),
    targets: targetsOf(targets, redirectTo),
    otherwise,
    deepLink: deepLinkOf(link.deepLink, terms?.deepLinkSchemes ?? []),
    needsPlace: targets.some(({ countries }) => countries?.length) || [link.destination, ...targets.flatMap(textsOf)].some(saysCountry),
    utm,
    rawUtm: otherwise.kind === 'redirect' ? otherwise.landing.rawUtm : {},
  };
}

function refusalOf(link: EntityState, terms: Terms | undefined, partner: EntityState, isProgramKnown: boolean): Refusal | null {
  if (!terms) return isProgramKnown ? 'program_not_begun' : 'program_unknown';
  if (link !== 'active') return `link_${link}`;
  if (terms.state !== 'active') return `program_${terms.state}`;
  if (partner !== 'active') return `partner_${partner}`;
  return null;
}

/** The link's fallback stands before the program's. Without terms nobody says which hosts are allowed. */
function elsewhereOf(link: PlannedLink, terms: Terms | undefined): (reason: Refusal) => Decision {
  for (const fallback of terms ? [link.fallbackUrl, terms.fallbackUrl] : []) {
    const check = fallback && terms ? checkDestination(fallback, terms) : null;
    if (check?.kind === 'ok') return (reason) => ({ kind: 'fallback', url: check.href, reason });
  }
  return (reason) => ({ kind: 'refused', reason });
}

const textsOf = ({ choices }: { readonly choices: readonly { readonly destination: string }[] }): string[] =>
  choices.map(({ destination }) => destination);
const saysCountry = (destination: string): boolean => /(?:\{|%7B)country(?:_code)?(?:\}|%7D)/i.test(destination);
