import { applyDecorators, type PipeTransform } from '@nestjs/common';
import { ApiBody, ApiHeader, ApiOkResponse, ApiCreatedResponse, type ApiBodyOptions } from '@nestjs/swagger';
import {
  type Entity,
  ENTITY_STATES,
  type EntityState,
  Instant,
  type JsonSchema,
  OneOf,
  Optional,
  schemaOf,
  Uuid,
  UUID,
  Whole,
} from '@baton/contracts';
import { type FieldProblem, Problem } from '@baton/platform';
import type { Change, Created } from './catalog.store';
import { changeState } from './domain/state';
import type { Stamp } from './domain/stamp';
import { laterValidFrom } from './domain/terms';

// What the controllers' requests and answers have in common.

/** An id chosen by the caller makes a creation safe to repeat. */
export class CreateBody {
  @Optional() @Uuid() id?: string;
}

export class StateBody {
  @OneOf(ENTITY_STATES) state!: EntityState;
}

export class EntityAnswer {
  @Uuid() id!: string;
  @Uuid() tenant_id!: string;
  @Whole(1, 2_147_483_647) version!: number;
  @OneOf(ENTITY_STATES) state!: EntityState;
  @Instant() changed_at!: string;
  /** What a reader of the catalog must have reached to know this. */
  @Whole(1, Number.MAX_SAFE_INTEGER) catalog_version!: number;
}

export const entityAnswer = ({ id, tenantId, version, state, changedAt, catalogVersion }: Entity): EntityAnswer => ({
  id,
  tenant_id: tenantId,
  version,
  state,
  changed_at: changedAt,
  catalog_version: catalogVersion,
});

const LIMIT_DEFAULT = 100;
const LIMIT_MAX = 500;

export interface Page {
  readonly cursor: string | undefined;
  readonly limit: number;
}

/** `?limit=&cursor=`; a cursor is the `next_cursor` of the page before. */
export function pageOf(cursor: string | undefined, limit: string | undefined, shape: RegExp): Page {
  const size = limit === undefined ? LIMIT_DEFAULT : Number(limit);
  if (!Number.isInteger(size) || size < 1 || size > LIMIT_MAX)
    throw malformed([{ field: 'limit', problem: `must be a whole number from 1 to ${LIMIT_MAX}` }]);
  if (cursor !== undefined && !shape.test(cursor))
    throw malformed([{ field: 'cursor', problem: 'is not a next_cursor that this list gave' }]);
  return { cursor, limit: size };
}

/** Items and where the next page begins, if the page was full. */
export const paged = <T>(
  items: readonly T[],
  { limit }: Page,
  cursorOf: (last: T) => string,
): { items: readonly T[]; next_cursor: string | null } => ({
  items,
  next_cursor: items.length === limit ? cursorOf(items[items.length - 1] as T) : null,
});

/** An id in a path. What cannot be one names nothing. */
export class IdPipe implements PipeTransform<string, string> {
  transform(value: string): string {
    if (!UUID.test(value)) throw notFound();
    return value;
  }
}

export const stampOf = (change: Change, id: string): Stamp => ({
  tenantId: change.tenantId,
  id,
  changedAt: change.at,
  catalogVersion: change.version(),
});

export const notFound = (): Problem => new Problem('not_found', 'There is nothing of this id.');

export function malformed(errors: readonly FieldProblem[]): Problem {
  return new Problem('malformed', errors.map(({ field, problem }) => `${field} ${problem}`).join('; '), { errors });
}

/** Whether the state is to change; throws the problem if it may not. */
export function stateChanges(from: EntityState, to: EntityState): boolean {
  const change = changeState(from, to);
  if (change.kind === 'refused') throw new Problem('deleted', change.why);
  return change.kind === 'changed';
}

/** When later terms begin; throws the problem if that is over. */
export function beginningOf(wanted: string | null | undefined, now: string): string {
  const checked = laterValidFrom(wanted, now);
  if (checked.kind === 'past')
    throw new Problem(
      'terms_in_past',
      `valid_from is ${checked.validFrom}, which is over; it is ${now} now. Leave it out to begin at once.`,
    );
  return checked.validFrom;
}

export interface Reply {
  code(status: number): Reply;
}

/** 201 for what was made, 200 with the same answer for a repeat, 409 for another body under a used id. */
export function answered<A>(reply: Reply, created: Created<A>): A {
  if (created.kind === 'conflict') throw new Problem('conflict');
  reply.code(created.kind === 'made' ? 201 : 200);
  return created.answer;
}

type BodyClass = new () => object;

/** The body and the answer of a route in the API's description, from the same declarations that check them. */
export const Describes = ({ body, answer }: { body?: BodyClass; answer?: BodyClass }): MethodDecorator =>
  applyDecorators(
    ApiHeader({ name: 'Baton-Tenant', required: false, description: 'For the operator: the tenant to act for' }),
    ...(body ? [ApiBody({ schema: openApiSchema(schemaOf(body)) } as ApiBodyOptions)] : []),
    ...(answer
      ? [ApiOkResponse({ schema: openApiSchema(schemaOf(answer)) }), ApiCreatedResponse({ schema: openApiSchema(schemaOf(answer)) })]
      : []),
  );

/** JSON Schema in the dialect of OpenAPI 3.0, which has `nullable` and no `propertyNames`. */
export function openApiSchema(schema: JsonSchema): JsonSchema {
  const { anyOf, propertyNames: _propertyNames, ...rest } = schema;
  if (Array.isArray(anyOf)) return { ...openApiSchema(anyOf[0] as JsonSchema), nullable: true };
  const deep = (value: unknown): unknown =>
    typeof value === 'object' && value !== null && !Array.isArray(value) ? openApiSchema(value as JsonSchema) : value;
  return Object.fromEntries(Object.entries(rest).map(([key, value]) => [key, key === 'enum' || key === 'required' ? value : deep(value)]));
}
