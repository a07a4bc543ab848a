import { checkDestination, type DestinationCheck, type ProgramData } from '@baton/contracts';
import { inForce } from './terms';

/** The terms by which a link is judged. Versions of one program; a program that has not begun is judged by the terms with which it will. */
export const termsAt = (versions: readonly ProgramData[], at: string): ProgramData | undefined => inForce(versions, at) ?? versions[0];

/** Whether a link of a program may lead there at an instant, and the form to store. */
export function destinationOf(destination: string, versions: readonly ProgramData[], at: string): DestinationCheck {
  const terms = termsAt(versions, at);
  if (!terms) return { kind: 'refused', reasons: ['the program has no terms'] };
  return checkDestination(destination, { hosts: terms.destinationHosts, allowHttp: terms.allowHttp });
}

/** Where a customer's share link leads unless they say otherwise: the root of the first host that is one. */
export function defaultDestination(versions: readonly ProgramData[], at: string): string | undefined {
  const host = termsAt(versions, at)?.destinationHosts.find((h) => !h.startsWith('*.'));
  return host && `https://${host}/`;
}
