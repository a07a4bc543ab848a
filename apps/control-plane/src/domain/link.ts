import { checkDestination, type LinkData, type LinkTarget, type ProgramData, TARGET_DEVICES } from '@baton/contracts';
import { type Problem, problemsOfChoice, problemsOfDrift } from './convention';
import { isCountry, likelyCountry } from './countries';
import { problemsOfDeepLink } from './deep-link';
import { fingerprintOf } from './fingerprint';

/** What a link's maker chooses, in their words. Undefined: not named; null: taken away. */
export interface LinkWords {
  readonly destination?: string | null | undefined;
  readonly utm?: Record<string, string> | null | undefined;
  readonly starts_at?: string | null | undefined;
  readonly ends_at?: string | null | undefined;
  readonly click_cap?: number | null | undefined;
  readonly fallback_url?: string | null | undefined;
  readonly targets?: LinkTarget[] | null | undefined;
  readonly deep_link?: string | null | undefined;
}

const FIELDS = ['destination', 'utm', 'startsAt', 'endsAt', 'clickCap', 'fallbackUrl', 'targets', 'deepLink'] as const;
/** The same, as it is stored. */
export type Agreed = Pick<LinkData, (typeof FIELDS)[number]>;
export type LinkProblem = Problem & { readonly code: 'malformed' | 'destination_refused' | 'utm_refused' };
export type LinkCheck =
  { readonly kind: 'ok'; readonly agreed: Agreed } | { readonly kind: 'refused'; readonly problems: readonly LinkProblem[] };

type Terms = Pick<ProgramData, 'destinationHosts' | 'allowHttp' | 'utmConvention' | 'deepLinkSchemes'>;
export interface LinkContext {
  /** Those in force. */
  readonly terms: Terms;
  readonly partnerKey: string | null;
  /** The link as it is; null: it is being made. */
  readonly before: Agreed | null;
}

/**
 * What is agreed now, in the form to store, or every problem with what is named. What a change does not name was agreed to before and is not
 * judged again, except where it stands against something that is named.
 */
export function checkLink(words: LinkWords, { terms, partnerKey, before }: LinkContext): LinkCheck {
  const agreed = agreedBy(words, before);
  const problems = [
    ...placesOf(words).flatMap(({ field, text }) => problemsOfPlace(field, text, terms)),
    ...(words.destination === null || (!before && words.destination === undefined) ? [NO_DESTINATION] : []),
    ...(words.targets ?? []).flatMap(problemsOfTarget),
    ...problemsOfChoice(terms.utmConvention, words.utm ?? {}).map(coded('utm_refused')),
    ...problemsOfApp(words.deep_link, terms),
    ...(words.starts_at || words.ends_at ? problemsOfSchedule(agreed) : []),
  ];
  if (problems.length === 0 && (words.destination !== undefined || words.targets !== undefined || words.utm !== undefined))
    problems.push(...problemsOfUtm(agreed, terms, partnerKey));
  return problems.length > 0 ? { kind: 'refused', problems } : { kind: 'ok', agreed };
}

/** Whether a change says anything new. */
export const changesLink = (before: Agreed, agreed: Agreed): boolean => fingerprintOf(agreedIn(before)) !== fingerprintOf(agreed);

/** The part of a link that its maker chose. */
export const agreedIn = (link: Agreed): Agreed => Object.fromEntries(FIELDS.map((field) => [field, link[field]])) as unknown as Agreed;

function agreedBy(words: LinkWords, before: Agreed | null): Agreed {
  const { destination, fallback_url: fallbackUrl, targets, utm } = words;
  const named = {
    destination: destination && hrefOf(destination),
    utm: utm && Object.keys(utm).length === 0 ? null : utm,
    startsAt: words.starts_at,
    endsAt: words.ends_at,
    clickCap: words.click_cap,
    fallbackUrl: fallbackUrl && hrefOf(fallbackUrl),
    targets: targets && (targets.length === 0 ? null : targets.map(storedTarget)),
    deepLink: words.deep_link,
  };
  // Null takes away what there was; a new link leaves it out, as most do.
  const said = Object.entries(named).filter(([, value]) => value !== undefined && (before !== null || value !== null));
  return { ...(before ? agreedIn(before) : {}), ...Object.fromEntries(said) } as unknown as Agreed;
}

const storedTarget = ({ countries, devices, choices }: LinkTarget): LinkTarget => ({
  ...(countries ? { countries } : {}),
  ...(devices ? { devices } : {}),
  choices: choices.map(({ destination, weight }) => ({ destination: hrefOf(destination), weight })),
});

/** As every browser reads it, where it can be read. */
const hrefOf = (text: string): string => (URL.canParse(text) ? new URL(text).href : text);

interface Place {
  readonly field: string;
  readonly text: string;
}

const choicesOf = (targets: readonly LinkTarget[] | null | undefined): Place[] =>
  (targets ?? []).flatMap(({ choices }, i) =>
    choices.map(({ destination }, j) => ({ field: `targets[${i}].choices[${j}].destination`, text: destination })),
  );

const placesOf = ({ destination, fallback_url: fallbackUrl, targets }: LinkWords): Place[] => [
  ...(typeof destination === 'string' ? [{ field: 'destination', text: destination }] : []),
  ...(typeof fallbackUrl === 'string' ? [{ field: 'fallback_url', text: fallbackUrl }] : []),
  ...choicesOf(targets),
];

function problemsOfPlace(field: string, text: string, { destinationHosts, allowHttp }: Terms): LinkProblem[] {
  const check = checkDestination(text, { hosts: destinationHosts, allowHttp });
  return check.kind === 'ok' ? [] : check.reasons.map((problem) => ({ code: 'destination_refused', field, problem }));
}

const problemsOfApp = (deepLink: string | null | undefined, { deepLinkSchemes }: Terms): LinkProblem[] =>
  typeof deepLink !== 'string'
    ? []
    : problemsOfDeepLink(deepLink, deepLinkSchemes ?? []).map((problem) => ({ code: 'destination_refused', field: 'deep_link', problem }));

function problemsOfSchedule({ startsAt, endsAt }: Agreed): LinkProblem[] {
  // One format and one length: they compare as text.
  if (!startsAt || !endsAt || endsAt > startsAt) return [];
  return [malformed('ends_at', `is ${endsAt}, not after starts_at, ${startsAt}: the link would never be open`)];
}

function problemsOfUtm({ destination, targets, utm }: Agreed, { utmConvention }: Terms, partnerKey: string | null): LinkProblem[] {
  if (!utmConvention) return [];
  const places = [{ field: 'destination', text: destination }, ...choicesOf(targets)];
  return places
    .flatMap(({ field, text }) => problemsOfDrift({ field, href: text }, utmConvention, utm, partnerKey))
    .map(coded('utm_refused'));
}

function problemsOfTarget({ countries, devices, choices }: LinkTarget, i: number): LinkProblem[] {
  const at = `targets[${i}]`;
  const problems: LinkProblem[] = [];
  if (choices.length === 0) problems.push(malformed(`${at}.choices`, 'is empty: name at least one destination'));
  for (const [name, list] of Object.entries({ countries, devices }))
    if (list?.length === 0) problems.push(malformed(`${at}.${name}`, 'is empty, so it would fit nobody: leave it out for all'));
  for (const [j, country] of (countries ?? []).entries()) {
    if (isCountry(country)) continue;
    const suggestion = likelyCountry(country);
    const problem = `"${country}" is not a country of ISO 3166 (two capital letters)${suggestion ? `; did you mean "${suggestion}"?` : ''}`;
    problems.push({ ...malformed(`${at}.countries[${j}]`, problem), ...(suggestion ? { suggestion } : {}) });
  }
  for (const [j, device] of (devices ?? []).entries())
    if (!(TARGET_DEVICES as readonly string[]).includes(device))
      problems.push(malformed(`${at}.devices[${j}]`, `"${device}" is not one of ${TARGET_DEVICES.join(', ')}`));
  return problems;
}

const coded =
  (code: LinkProblem['code']) =>
  (problem: Problem): LinkProblem => ({ ...problem, code });
const malformed = (field: string, problem: string): LinkProblem => ({ code: 'malformed', field, problem });
const NO_DESTINATION = malformed('destination', 'is needed: a link leads somewhere');
