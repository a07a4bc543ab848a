import type { EntityState } from '@baton/contracts';

export type StateChange = { readonly kind: 'same' } | { readonly kind: 'changed' } | { readonly kind: 'refused'; readonly why: string };

/** Deleting is final: what was promised under a deleted entity is still honoured, and nothing new begins under its name. */
export function changeState(from: EntityState, to: EntityState): StateChange {
  if (from === to) return { kind: 'same' };
  if (from === 'deleted') return { kind: 'refused', why: `It was deleted, and that is final; make a new one instead of setting "${to}".` };
  return { kind: 'changed' };
}
