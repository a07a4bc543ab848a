import type { ProgramData } from '@baton/contracts';
import type { Terms } from './facts';

/** The terms in force at a time: the highest version whose `validFrom` is at or before it. Undefined where none was yet. */
export function termsInForce(versions: readonly ProgramData[], atMs: number): Terms | undefined {
  const inForce = versions.filter((version) => Date.parse(version.validFrom) <= atMs).sort((a, b) => b.version - a.version)[0];
  return inForce && { version: inForce.version, windowMs: inForce.windowMs, clockSkewMs: inForce.clockSkewMs };
}
