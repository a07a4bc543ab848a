import { type AppStores, checkDestination, type ProgramData } from '@baton/contracts';
import { type Problem, problemsOfConvention } from './convention';
import { problemOfScheme } from './deep-link';
import { firstVersion, nextVersion, type Stamp } from './stamp';
import { BEGINNING } from './terms';

export type ProgramTerms = Omit<ProgramData, 'tenantId' | 'id' | 'version' | 'state' | 'changedAt' | 'catalogVersion' | 'validFrom'>;
export interface TermsProblem {
  readonly field: string;
  readonly problem: string;
}

const DAY_MS = 86_400_000;
const HOST = /^(\*\.)?(?=.{1,253}$)([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*(:\d{1,5})?$/;

const APP_STORES = ['apps.apple.com', 'itunes.apple.com'];

const DEFAULTS = {
  allowHttp: false,
  windowMs: 30 * DAY_MS,
  model: 'last_touch',
  holdDays: 30,
  clockSkewMs: 300_000,
  landingParam: 'click_id',
  utm: {},
} satisfies Partial<ProgramTerms>;

export function firstProgram(
  terms: Pick<ProgramTerms, 'name' | 'destinationHosts'> & Partial<ProgramTerms>,
  stamp: Stamp,
  validFrom = BEGINNING,
): ProgramData {
  return { ...DEFAULTS, ...terms, ...firstVersion(stamp), validFrom };
}

/** What is not named stays as it was in the newest version. */
export const nextProgram = (newest: ProgramData, terms: Partial<ProgramTerms>, stamp: Stamp, validFrom: string): ProgramData =>
  nextVersion(newest, stamp, { ...terms, validFrom });

/** Every problem that the types alone do not show. */
export function problemsOfProgram(program: ProgramData): Problem[] {
  const problems: Problem[] = problemsOfHosts(program);
  problems.push(...(program.utmConvention ? problemsOfConvention(program.utmConvention) : []));
  for (const [i, scheme] of (program.deepLinkSchemes ?? []).entries()) {
    const problem = problemOfScheme(scheme);
    if (problem) problems.push({ field: `deep_link_schemes[${i}]`, problem });
  }
  problems.push(...(program.appStores ? problemsOfStores(program.appStores) : []));
  if (program.enrolCustomers && program.destinationHosts.every((host) => host.startsWith('*.')))
    problems.push({
      field: 'enrol_customers',
      problem: 'needs a host in destination_hosts that is no pattern: share links lead to its root',
    });
  return problems;
}

function problemsOfHosts({ destinationHosts, allowHttp, fallbackUrl }: ProgramData): TermsProblem[] {
  const hosts = destinationHosts.filter((host) => !HOST.test(host));
  const problems = hosts.map((host) => ({
    field: 'destination_hosts',
    problem: `"${host}" is not a host: write shop.example or *.shop.example, in lower case, without a scheme or a path`,
  }));
  if (destinationHosts.length === 0)
    problems.push({ field: 'destination_hosts', problem: 'names no host: links of this program could lead nowhere' });
  if (!fallbackUrl || problems.length > 0) return problems;
  const fallback = checkDestination(fallbackUrl, { hosts: destinationHosts, allowHttp });
  return fallback.kind === 'ok' ? [] : fallback.reasons.map((problem) => ({ field: 'fallback_url', problem }));
}

function problemsOfStores({ appStoreUrl, playPackage }: AppStores): TermsProblem[] {
  if (!appStoreUrl && !playPackage)
    return [{ field: 'app_stores', problem: 'names no store: write app_store_url or play_package, or null for none' }];
  const check = appStoreUrl ? checkDestination(appStoreUrl, { hosts: APP_STORES, allowHttp: false }) : null;
  if (check?.kind !== 'refused') return [];
  return check.reasons.map((problem) => ({ field: 'app_stores.app_store_url', problem }));
}
