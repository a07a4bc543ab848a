import { type AndroidApp, type AppleApp, checkDestination, type DomainData } from '@baton/contracts';

export interface DomainProblem {
  readonly field: string;
  readonly problem: string;
}

/** SHA-256 of a signing certificate, as `keytool` and the Play Console write it. */
const FINGERPRINT = /^([0-9A-F]{2}:){31}[0-9A-F]{2}$/;

/** Every problem that the types alone do not show. `platformHost` is the one under which the links of all tenants are found. */
export function problemsOfDomain({ host, rootUrl, appleApps, androidApps }: DomainData, platformHost: string): DomainProblem[] {
  return [
    ...problemsOfHost(host, platformHost),
    ...(rootUrl ? problemsOfRoot(rootUrl, host) : []),
    ...(appleApps ?? []).flatMap(problemsOfApple),
    ...(androidApps ?? []).flatMap(problemsOfAndroid),
  ];
}

function problemsOfHost(host: string, platformHost: string): DomainProblem[] {
  const problem = (text: string): DomainProblem[] => [{ field: 'host', problem: text }];
  if (host === platformHost) return problem(`is the platform's own: links are found there as it is`);
  if (!/[a-z]/.test(host.slice(host.lastIndexOf('.') + 1))) return problem('is an address: write a name, such as go.shop.example');
  return [];
}

/** It is the domain owner's own page, so any host will do, but one: this very domain would send its visitors round in circles. */
function problemsOfRoot(rootUrl: string, host: string): DomainProblem[] {
  const wanted = URL.canParse(rootUrl) ? new URL(rootUrl).host : host;
  const check = checkDestination(rootUrl, { hosts: [wanted], allowHttp: false });
  const problems = check.kind === 'ok' ? [] : check.reasons;
  if (wanted === host && problems.length === 0) problems.push('leads to this very domain: visitors would go round in circles');
  return problems.map((problem) => ({ field: 'root_url', problem }));
}

function problemsOfApple({ paths }: AppleApp, i: number): DomainProblem[] {
  const field = `apple_apps[${i}].paths`;
  if (paths?.length === 0) return [{ field, problem: 'is empty, so no link would open the app: leave it out for all' }];
  return (paths ?? []).flatMap((path, j) =>
    /^[/*][\x21-\x7e]*$/.test(path)
      ? []
      : [
          {
            field: `${field}[${j}]`,
            problem: `"${path}" is not a pattern of paths: begin with / or *, such as /r/*, and escape other characters`,
          },
        ],
  );
}

function problemsOfAndroid({ fingerprints }: AndroidApp, i: number): DomainProblem[] {
  const field = `android_apps[${i}].fingerprints`;
  if (fingerprints.length === 0) return [{ field, problem: 'is empty: Android trusts no app without one' }];
  return fingerprints.flatMap((fingerprint, j) =>
    FINGERPRINT.test(fingerprint)
      ? []
      : [{ field: `${field}[${j}]`, problem: 'is not a SHA-256 fingerprint: 32 pairs of 0-9 and A-F in capitals, joined by colons' }],
  );
}
