import { type AppStores, checkDestination, type EntityState, type LinkData, type UtmConvention } from '@baton/contracts';
import { type Landing, landingOf } from './landing';

/** What the redirect needs of one version of a program's terms. */
export interface Terms {
  readonly version: number;
  readonly validFromMs: number;
  readonly state: EntityState;
  readonly hosts: readonly string[];
  readonly allowHttp: boolean;
  readonly landingParam: string;
  readonly utm: Readonly<Record<string, string>>;
  readonly utmConvention: UtmConvention | null;
  readonly fallbackUrl: string | null;
  readonly deepLinkSchemes: readonly string[];
  readonly appStores: AppStores | null;
}

export type Refusal =
  | 'link_unknown'
  | 'link_disabled'
  | 'link_deleted'
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

/** The version in force at an instant: the highest that is valid from it or earlier. `versions` is sorted, highest first. */
export const termsInForce = (versions: readonly Terms[], atMs: number): Terms | undefined =>
  versions.find((terms) => terms.validFromMs <= atMs);

/** Where the visitor of a link goes. The destination is checked here again: the program's list may have changed since it was stored. */
export function decideOld(
  link: { readonly state: EntityState; readonly destination: string },
  terms: Terms | undefined,
  partnerState: EntityState,
  isProgramKnown: boolean,
): Decision {
  if (!terms) return { kind: 'refused', reason: isProgramKnown ? 'program_not_begun' : 'program_unknown' };
  const reason = refusalOf(link.state, terms.state, partnerState);
  if (reason) return elsewhere(terms, reason);
  const check = checkDestination(link.destination, terms);
  if (check.kind === 'refused') return elsewhere(terms, 'destination_refused');
  return { kind: 'redirect', landing: landingOf(check.href, terms.utm, terms.landingParam) };
}

function refusalOf(link: EntityState, program: EntityState, partner: EntityState): Refusal | null {
  if (link !== 'active') return `link_${link}`;
  if (program !== 'active') return `program_${program}`;
  if (partner !== 'active') return `partner_${partner}`;
  return null;
}

function elsewhere(terms: Terms, reason: Refusal): Decision {
  const check = terms.fallbackUrl === null ? null : checkDestination(terms.fallbackUrl, terms);
  return check?.kind === 'ok' ? { kind: 'fallback', url: check.href, reason } : { kind: 'refused', reason };
}
export interface Plan { readonly decision: Decision; readonly clickCap: number | null; readonly deepLink: string | null; readonly needsPlace: boolean; readonly utm: Record<string, string>; readonly rawUtm: Record<string, string> }
export interface Asked { readonly atMs: number; readonly country: string | null; readonly device: string; readonly visitorKey: string; readonly counted: number }
export const decide = (plan: Plan, _asked: Asked): Decision => plan.decision;
export type PlannedLink = Pick<
  LinkData,
  'state' | 'destination' | 'utm' | 'startsAt' | 'endsAt' | 'clickCap' | 'fallbackUrl' | 'targets' | 'deepLink'
>;
export interface ToPlan { readonly link: PlannedLink; readonly terms: Terms | undefined; readonly partner: { readonly state: EntityState; readonly key: string | null }; readonly isProgramKnown: boolean }
export const planOf = ({ link, terms, partner, isProgramKnown }: ToPlan): Plan => ({
  decision: decideOld(link, terms, partner.state, isProgramKnown), clickCap: link.clickCap ?? null, deepLink: null, needsPlace: false, utm: terms?.utm ?? {}, rawUtm: {},
});
