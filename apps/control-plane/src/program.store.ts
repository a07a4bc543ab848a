import type { AppStores, EntityState, ProgramData, UtmConvention } from '@baton/contracts';
import type { CatalogTx } from './catalog.store';
import { Prisma, type ProgramVersion } from './generated/client';

/** Terms of programs. Versions are added, never edited. */
export interface ProgramStore {
  newest(tx: CatalogTx, tenantId: string, id: string): Promise<ProgramData | null>;
  /** Oldest first. */
  versions(tx: CatalogTx, tenantId: string, id: string): Promise<ProgramData[]>;
  /** The newest version of each, by id, after the id `after`. */
  list(tx: CatalogTx, tenantId: string, after: string | undefined, limit: number): Promise<ProgramData[]>;
  add(tx: CatalogTx, program: ProgramData): Promise<void>;
}

export const programs: ProgramStore = {
  async newest(tx, tenantId, id) {
    const row = await tx.programVersion.findFirst({ where: { tenantId, id }, orderBy: { version: 'desc' } });
    return row && programOf(row);
  },
  async versions(tx, tenantId, id) {
    return (await tx.programVersion.findMany({ where: { tenantId, id }, orderBy: { version: 'asc' } })).map(programOf);
  },
  async list(tx, tenantId, after, limit) {
    const where = { tenantId, ...(after ? { id: { gt: after } } : {}) };
    const rows = await tx.programVersion.findMany({ where, distinct: ['id'], orderBy: [{ id: 'asc' }, { version: 'desc' }], take: limit });
    return rows.map(programOf);
  },
  async add(tx, program) {
    await tx.programVersion.create({ data: rowOf(program) });
  },
};

export const programOf = ({ catalogVersion, changedAt, validFrom, windowMs, ...row }: ProgramVersion): ProgramData => ({
  ...row,
  state: row.state as EntityState,
  model: row.model as ProgramData['model'],
  utm: row.utm as Record<string, string>,
  utmConvention: row.utmConvention as UtmConvention | null,
  deepLinkSchemes: row.deepLinkSchemes.length > 0 ? row.deepLinkSchemes : null,
  appStores: row.appStores as AppStores | null,
  windowMs: Number(windowMs),
  validFrom: validFrom.toISOString(),
  changedAt: changedAt.toISOString(),
  catalogVersion: Number(catalogVersion),
});

const rowOf = ({ utmConvention, deepLinkSchemes, appStores, enrolCustomers, ...program }: ProgramData) => ({
  ...program,
  enrolCustomers: enrolCustomers ?? false,
  utmConvention: utmConvention ? (utmConvention as unknown as Prisma.InputJsonObject) : Prisma.DbNull,
  deepLinkSchemes: deepLinkSchemes ?? [],
  appStores: appStores ? (appStores as unknown as Prisma.InputJsonObject) : Prisma.DbNull,
});
