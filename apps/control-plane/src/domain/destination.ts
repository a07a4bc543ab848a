import { checkDestination, type DestinationCheck, type ProgramData } from '@baton/contracts';
import { inForce } from './terms';

/** Whether a link of a program may lead there at an instant, and the form to store. Versions of one program. */
export function destinationOf(destination: string, versions: readonly ProgramData[], at: string): DestinationCheck {
  // A program that has not begun is judged by the terms with which it will.
  const terms = inForce(versions, at) ?? versions[0];
  if (!terms) return { kind: 'refused', reasons: ['the program has no terms'] };
  return checkDestination(destination, { hosts: terms.destinationHosts, allowHttp: terms.allowHttp });
}

/** Where a customer's share link leads unless they say otherwise: the root of the first host that is one. */
export function defaultDestination(versions: readonly ProgramData[], at: string): string | undefined {
  const host = (inForce(versions, at) ?? versions[0])?.destinationHosts.find((h) => !h.startsWith('*.'));
  return host && `https://${host}/`;
}
