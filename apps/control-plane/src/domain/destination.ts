import { checkDestination, type ProgramData } from '@baton/contracts';
import { inForce } from './terms';

/** Why a link of a program may not lead there at an instant; empty when it may. Versions of one program, at least one. */
export function problemsOfDestination(destination: string, versions: readonly ProgramData[], at: string): readonly string[] {
  // A program that has not begun is judged by the terms with which it will.
  const terms = inForce(versions, at) ?? versions[0];
  if (!terms) return ['the program has no terms'];
  const check = checkDestination(destination, { hosts: terms.destinationHosts, allowHttp: terms.allowHttp });
  return check.kind === 'ok' ? [] : check.reasons;
}

/** Where a customer's share link leads unless they say otherwise: the root of the first host that is one. */
export function defaultDestination(versions: readonly ProgramData[], at: string): string | undefined {
  const host = (inForce(versions, at) ?? versions[0])?.destinationHosts.find((h) => !h.startsWith('*.'));
  return host && `https://${host}/`;
}
