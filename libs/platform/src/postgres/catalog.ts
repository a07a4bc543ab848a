import {
  type Entity,
  type EntityState,
  LinkChanged,
  type LinkData,
  type Outgoing,
  PartnerChanged,
  type PartnerData,
  PlanChanged,
  type PlanData,
  ProgramChanged,
  type ProgramData,
  type Received,
  TenantChanged,
  type TenantEntity,
} from '@baton/contracts';
import { on, type Route, type Tx } from '../ports';

export interface CatalogTypes {
  tenant: TenantEntity;
  program: ProgramData;
  partner: PartnerData;
  link: LinkData;
  plan: PlanData;
}
export type CatalogType = keyof CatalogTypes;

const CONTRACTS = {
  tenant: TenantChanged,
  program: ProgramChanged,
  partner: PartnerChanged,
  link: LinkChanged,
  plan: PlanChanged,
} as const;
/** Terms are never edited: each version is kept in a slot of its own. */
const TERMS: readonly CatalogType[] = ['program', 'plan'];

/**
 * Keeps the wanted types of the catalog in this service's `catalog_entities`. `changed` is called after each batch with what it brought, so
 * that a service can re-read what was pending on it; what it returns goes to the outbox.
 */
export function catalogRoutes(
  types: readonly CatalogType[],
  changed?: (type: CatalogType, entities: readonly Entity[], tx: Tx) => Promise<readonly Outgoing[]>,
): Route[] {
  return types.map((type) =>
    on<Entity>(CONTRACTS[type] as never, async (events, tx) => {
      const entities = events.map((event: Received<Entity>) => event.data);
      await store(tx, type, entities);
      return (await changed?.(type, entities, tx)) ?? [];
    }),
  );
}

async function store(tx: Tx, type: CatalogType, entities: readonly Entity[]): Promise<void> {
  const isTerms = TERMS.includes(type);
  // One row of each key, the newest: ON CONFLICT may not meet a row twice in one statement.
  const newest = new Map<string, Entity>();
  for (const entity of entities) {
    const key = `${entity.tenantId}:${entity.id}:${isTerms ? entity.version : 0}`;
    if ((newest.get(key)?.version ?? 0) < entity.version) newest.set(key, entity);
  }
  await tx.$executeRawUnsafe(
    `INSERT INTO known_tenants (id) SELECT DISTINCT (r->>'tenantId')::uuid AS id FROM jsonb_array_elements($1::jsonb) AS r ORDER BY id ON CONFLICT DO NOTHING`,
    JSON.stringify([...newest.values()]),
  );
  await tx.$executeRawUnsafe(
    `INSERT INTO catalog_entities (tenant_id, type, id, slot, version, state, valid_from, number, program_id, data)
     SELECT (r->>'tenantId')::uuid, $2, (r->>'id')::uuid, CASE WHEN $3 THEN (r->>'version')::int ELSE 0 END, (r->>'version')::int, r->>'state', (r->>'validFrom')::timestamptz,
            (r->>'number')::bigint, (r->>'programId')::uuid, r
     FROM jsonb_array_elements($1::jsonb) AS r ORDER BY 1, 3, 4
     ON CONFLICT (tenant_id, type, id, slot) DO UPDATE
       SET version = excluded.version, state = excluded.state, valid_from = excluded.valid_from, number = excluded.number, program_id = excluded.program_id, data = excluded.data
       WHERE excluded.version > catalog_entities.version`,
    JSON.stringify([...newest.values()]),
    type,
    isTerms,
  );
}

/** Links by the number that a click id carries. Absent: not known yet. */
export async function linksByNumber(tx: Tx, wanted: readonly { tenantId: string; number: number }[]): Promise<LinkData[]> {
  return read<LinkData>(
    tx,
    `SELECT c.data FROM jsonb_to_recordset($1::jsonb) AS w("tenantId" uuid, number bigint) JOIN catalog_entities c ON c.tenant_id = w."tenantId" AND c.number = w.number AND c.type = 'link'`,
    wanted,
  );
}

/** Newest known state of entities. */
export async function entitiesById<T extends CatalogType>(
  tx: Tx,
  type: T,
  wanted: readonly { tenantId: string; id: string }[],
): Promise<CatalogTypes[T][]> {
  return read<CatalogTypes[T]>(
    tx,
    `SELECT DISTINCT ON (c.tenant_id, c.id) c.data FROM jsonb_to_recordset($1::jsonb) AS w("tenantId" uuid, id uuid) JOIN catalog_entities c ON c.tenant_id = w."tenantId" AND c.id = w.id AND c.type = $2
     ORDER BY c.tenant_id, c.id, c.version DESC`,
    wanted,
    type,
  );
}

/** Every version of terms (program, plan) that is known, oldest first; `termsInForce` picks. */
export async function allVersions<T extends 'program' | 'plan'>(
  tx: Tx,
  type: T,
  wanted: readonly { tenantId: string; id: string }[],
): Promise<CatalogTypes[T][]> {
  return read<CatalogTypes[T]>(
    tx,
    `SELECT c.data FROM (SELECT DISTINCT "tenantId", id FROM jsonb_to_recordset($1::jsonb) AS w("tenantId" uuid, id uuid)) w
     JOIN catalog_entities c ON c.tenant_id = w."tenantId" AND c.id = w.id AND c.type = $2 ORDER BY c.tenant_id, c.id, c.version`,
    wanted,
    type,
  );
}

/** Every version of every plan of programs. */
export async function plansOfPrograms(tx: Tx, wanted: readonly { tenantId: string; id: string }[]): Promise<PlanData[]> {
  return read<PlanData>(
    tx,
    `SELECT c.data FROM (SELECT DISTINCT "tenantId", id FROM jsonb_to_recordset($1::jsonb) AS w("tenantId" uuid, id uuid)) w
     JOIN catalog_entities c ON c.tenant_id = w."tenantId" AND c.program_id = w.id AND c.type = 'plan' ORDER BY c.tenant_id, c.id, c.version`,
    wanted,
  );
}

/** The newest state of every program of one tenant, with the longest window (ms) that any of its versions had. */
export async function programsOf(tx: Tx, tenantId: string): Promise<(ProgramData & { readonly longestWindowMs: number })[]> {
  return read(
    tx,
    `SELECT DISTINCT ON (c.id) c.data || jsonb_build_object('longestWindowMs', max((c.data->>'windowMs')::bigint) OVER (PARTITION BY c.id)) AS data FROM (SELECT ($1::jsonb->0->>'tenantId')::uuid AS tenant_id) w JOIN catalog_entities c ON c.tenant_id = w.tenant_id AND c.type = 'program' ORDER BY c.id, c.version DESC`,
    [{ tenantId }],
  );
}

/** Of every program of one tenant: its newest state, and the longest window (ms) that any of its versions had. */
export async function programStates(
  tx: Tx,
  tenantId: string,
): Promise<{ readonly id: string; readonly state: EntityState; readonly windowMs: number }[]> {
  return tx.$queryRawUnsafe(
    `SELECT DISTINCT ON (id) id, state, max((data->>'windowMs')::float8) OVER (PARTITION BY id) AS "windowMs" FROM catalog_entities WHERE tenant_id = $1::uuid AND type = 'program' ORDER BY id, version DESC`,
    tenantId,
  );
}

/** The tenants that this service has heard of, for sweeps. */
export async function knownTenants(tx: Tx): Promise<string[]> {
  return (await tx.$queryRawUnsafe<{ id: string }[]>('SELECT id FROM known_tenants ORDER BY id')).map((row) => row.id);
}

async function read<T>(tx: Tx, sql: string, wanted: readonly object[], ...more: unknown[]): Promise<T[]> {
  if (wanted.length === 0) return [];
  return (await tx.$queryRawUnsafe<{ data: T }[]>(sql, JSON.stringify(wanted), ...more)).map((row) => row.data);
}
