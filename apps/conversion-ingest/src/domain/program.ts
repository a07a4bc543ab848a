import type { EntityState } from '@baton/contracts';
import type { Refusal } from './claim';

export interface KnownProgram {
  readonly id: string;
  /** The newest one known, not that of the conversion's time: pausing stops what arrives from now on. */
  readonly state: EntityState;
  /** The longest window of any of its versions. */
  readonly windowMs: number;
}

export interface ProgramHints {
  readonly named: string | null;
  /** Program of the link inside the click id; null: no click id, or a link that the catalog has not told of yet. */
  readonly ofLink: string | null;
  readonly ofKey: string | null;
  readonly programs: readonly KnownProgram[];
}

/** Whose conversion it is: named by the caller, else told by the click's link, the key, or being the tenant's only one; else nobody can say yet. */
export function chooseProgram({
  named,
  ofLink,
  ofKey,
  programs,
}: ProgramHints): { readonly programId: string | null } | { readonly refusal: Refusal } {
  if (named !== null && !programs.some(({ id }) => id === named))
    return { refusal: { code: 'program_unknown', detail: 'program_id names no program of yours.', field: 'program_id' } };
  const programId = named ?? ofLink ?? ofKey ?? onlyOne(programs);
  const state = programs.find(({ id }) => id === programId)?.state;
  if (state === 'disabled') return { refusal: { code: 'program_paused' } };
  if (state === 'deleted') return { refusal: { code: 'program_paused', detail: 'The program was deleted.' } };
  return { programId };
}

function onlyOne(programs: readonly KnownProgram[]): string | null {
  const kept = programs.filter(({ state }) => state !== 'deleted');
  return kept.length === 1 ? (kept[0]?.id ?? null) : null;
}
