import { Instant, OneOf, Uuid, Whole } from '../fields';

export const ENTITY_STATES = ['active', 'disabled', 'deleted'] as const;
export type EntityState = (typeof ENTITY_STATES)[number];

/** What every catalog entity carries. A message is the entity's full state; the highest version wins. */
export class Entity {
  @Uuid() tenantId!: string;
  @Uuid() id!: string;
  /** Counts changes of this entity from 1. */
  @Whole(1, 2_147_483_647) version!: number;
  /** Deleting is a state: a deleted link stays known, refused and creditable until its longest window is over. */
  @OneOf(ENTITY_STATES) state!: EntityState;
  @Instant() changedAt!: string;
  /** Position of this change among all changes of the catalog: a consumer that has seen it has seen all before it. */
  @Whole(1, Number.MAX_SAFE_INTEGER) catalogVersion!: number;
}

/** `tenant:type:id`, the key of an entity whose newest state is all that matters. */
export const entityKey = (type: string) => (d: Entity) => `${d.tenantId}:${type}:${d.id}`;
/** `tenant:type:id:version`, the key of terms: they are never edited, a change is a new version. */
export const termsKey = (type: string) => (d: Entity) => `${d.tenantId}:${type}:${d.id}:${d.version}`;
export const entityId = (type: string) => (d: Entity) => `${type}:${d.id}:${d.version}`;
