import type { LinkData, PartnerData, ProgramData } from '@baton/contracts';
import type { CatalogTx } from './catalog.store';
import { linkOf } from './link.store';
import { partnerOf } from './partner.store';
import { programOf } from './program.store';

export interface Creation {
  readonly id: string;
  readonly fingerprint: string;
  /** What a single creation would answer when it is repeated. */
  readonly answer: object;
}

/** Many links in one statement each. All run under the catalog's clock, so what was read stays true until the commit. */
export interface BulkStore {
  /** Every version of programs, oldest first, by program. */
  programs(tx: CatalogTx, tenantId: string, ids: readonly string[]): Promise<Map<string, ProgramData[]>>;
  partners(tx: CatalogTx, tenantId: string, ids: readonly string[]): Promise<Map<string, PartnerData>>;
  linksOfIds(tx: CatalogTx, tenantId: string, ids: readonly string[]): Promise<LinkData[]>;
  /** This tenant's alone: those of others show when they are added. */
  linksOfSlugs(tx: CatalogTx, tenantId: string, slugs: readonly string[]): Promise<LinkData[]>;
  fingerprints(tx: CatalogTx, tenantId: string, ids: readonly string[]): Promise<Map<string, string>>;
  /** Numbers that no link has had, ascending. */
  nextNumbers(tx: CatalogTx, count: number): Promise<number[]>;
  /** Gives the ids of those that were added; the others' slugs are some tenant's already. */
  add(tx: CatalogTx, links: readonly LinkData[], referral?: boolean): Promise<Set<string>>;
  addCreations(tx: CatalogTx, tenantId: string, creations: readonly Creation[]): Promise<void>;
}

export const bulkLinks: BulkStore = {
  async programs(tx, tenantId, ids) {
    const rows = await tx.programVersion.findMany({ where: { tenantId, id: { in: [...ids] } }, orderBy: { version: 'asc' } });
    const versions = new Map<string, ProgramData[]>();
    for (const row of rows) {
      const before = versions.get(row.id);
      if (before) before.push(programOf(row));
      else versions.set(row.id, [programOf(row)]);
    }
    return versions;
  },
  async partners(tx, tenantId, ids) {
    const rows = await tx.partner.findMany({ where: { tenantId, id: { in: [...ids] } } });
    return new Map(rows.map((row) => [row.id, partnerOf(row)]));
  },
  async linksOfIds(tx, tenantId, ids) {
    if (ids.length === 0) return [];
    return (await tx.link.findMany({ where: { tenantId, id: { in: [...ids] } } })).map(linkOf);
  },
  async linksOfSlugs(tx, tenantId, slugs) {
    if (slugs.length === 0) return [];
    return (await tx.link.findMany({ where: { tenantId, slug: { in: [...slugs] } } })).map(linkOf);
  },
  async fingerprints(tx, tenantId, ids) {
    if (ids.length === 0) return new Map();
    const where = { tenantId, kind: 'link', id: { in: [...ids] } };
    const rows = await tx.creation.findMany({ where, select: { id: true, fingerprint: true } });
    return new Map(rows.map((row) => [row.id, row.fingerprint]));
  },
  async nextNumbers(tx, count) {
    const rows = await tx.$queryRawUnsafe<{ number: number }[]>(
      `SELECT nextval('link_numbers')::float8 AS number FROM generate_series(1, $1::int) ORDER BY number`,
      count,
    );
    return rows.map((row) => row.number);
  },
  async add(tx, links, referral = false) {
    const rows = await tx.$queryRawUnsafe<{ id: string }[]>(
      `INSERT INTO links SELECT * FROM jsonb_populate_recordset(NULL::links, $1::jsonb) ORDER BY id ON CONFLICT DO NOTHING RETURNING id::text`,
      JSON.stringify(links.map((link) => inColumns({ ...link, referral }))),
    );
    return new Set(rows.map((row) => row.id));
  },
  async addCreations(tx, tenantId, creations) {
    if (creations.length === 0) return;
    await tx.$executeRawUnsafe(
      `INSERT INTO creations (tenant_id, kind, id, fingerprint, answer)
       SELECT $1::uuid, 'link', id, fingerprint, answer FROM json_to_recordset($2::json) AS r(id uuid, fingerprint uuid, answer json) ORDER BY id`,
      tenantId,
      JSON.stringify(creations),
    );
  },
};

const columns = new Map<string, string>();

/** `programId` as `program_id`: what is left out is NULL. */
function inColumns(link: object): Record<string, unknown> {
  const row: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(link)) {
    let column = columns.get(name);
    if (column === undefined) columns.set(name, (column = name.replace(/[A-Z]/g, (capital) => `_${capital.toLowerCase()}`)));
    row[column] = value;
  }
  return row;
}
