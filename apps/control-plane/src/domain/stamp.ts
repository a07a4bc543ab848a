import type { EntityState } from '@baton/contracts';

/** Whose change, of what, and its place among all changes. */
export interface Stamp {
  readonly tenantId: string;
  readonly id: string;
  /** RFC 3339, UTC, milliseconds. */
  readonly changedAt: string;
  readonly catalogVersion: number;
}

interface Versioned {
  readonly version: number;
  readonly state: EntityState;
}

/** What every entity begins with. */
export const firstVersion = (stamp: Stamp): Stamp & Versioned => ({ ...stamp, version: 1, state: 'active' });

/** The same entity, one version on. */
export const nextVersion = <T extends Stamp & Versioned>(entity: T, stamp: Stamp, change: Partial<T>): T => ({
  ...entity,
  ...change,
  tenantId: entity.tenantId,
  id: entity.id,
  version: entity.version + 1,
  changedAt: stamp.changedAt,
  catalogVersion: stamp.catalogVersion,
});
