import { checkDestination } from '@baton/contracts';

/**
 * Where the bare address of a tenant's domain leads, as it is sent; null when it may not be sent. It is on no program's list of hosts, so any
 * host will do, but all else that makes a destination unsafe is refused here as it is when it is stored.
 */
export function rootUrlOf(text: string | null | undefined): string | null {
  if (!text || !URL.canParse(text)) return null;
  const check = checkDestination(text, { hosts: [new URL(text).hostname], allowHttp: false });
  return check.kind === 'ok' ? check.href : null;
}
