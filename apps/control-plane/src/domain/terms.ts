/** The first version of terms covers everything that ever happened, unless its maker says otherwise. */
export const BEGINNING = '2000-01-01T00:00:00.000Z';

interface Terms {
  readonly version: number;
  readonly validFrom: string;
}

/** The version in force at an instant: the highest that is valid from it or earlier. Instants compare as text: one format, one length. */
export function inForce<T extends Terms>(versions: readonly T[], at: string): T | undefined {
  return versions
    .filter((v) => v.validFrom <= at)
    .reduce<T | undefined>((best, v) => (best && best.version > v.version ? best : v), undefined);
}

export type ValidFrom = { readonly kind: 'ok'; readonly validFrom: string } | { readonly kind: 'past'; readonly validFrom: string };

/** Later versions begin now or later: rewards that were already earned keep the terms under which they were earned. */
export function laterValidFrom(wanted: string | null | undefined, now: string): ValidFrom {
  if (wanted && wanted < now) return { kind: 'past', validFrom: wanted };
  return { kind: 'ok', validFrom: wanted ?? now };
}
