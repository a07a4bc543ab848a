import type { PlanData, ProgramData } from '@baton/contracts';

/** Every version of one program and of its plans that the catalog has told. */
export interface Terms {
  readonly programs: readonly ProgramData[];
  readonly plans: readonly PlanData[];
}

/** Of these versions the one in force at an instant (RFC 3339): the highest that is valid from then or before. */
export function inForce<T extends { readonly version: number; readonly validFrom: string }>(versions: readonly T[], at: string): T | null {
  return versions.reduce<T | null>(
    (best, version) => (version.validFrom <= at && (!best || version.version > best.version) ? version : best),
    null,
  );
}

export function plansInForce({ plans }: Terms, at: string): PlanData[] {
  const ids = [...new Set(plans.map((plan) => plan.id))].sort();
  return ids.flatMap(
    (id) =>
      inForce(
        plans.filter((plan) => plan.id === id),
        at,
      ) ?? [],
  );
}
