import type { AndroidApp, AppleApp, DomainData, EntityState } from '@baton/contracts';
import type { CatalogTx } from './catalog.store';
import type { Domain, Prisma } from './generated/client';

export interface DomainStore {
  find(tx: CatalogTx, tenantId: string, id: string): Promise<DomainData | null>;
  ofHost(tx: CatalogTx, tenantId: string, host: string): Promise<DomainData | null>;
  /** By id, after the id `after`. */
  list(tx: CatalogTx, tenantId: string, after: string | undefined, limit: number): Promise<DomainData[]>;
  /** False: some tenant has that host already, and nothing was added. */
  add(tx: CatalogTx, domain: DomainData): Promise<boolean>;
  put(tx: CatalogTx, domain: DomainData): Promise<void>;
}

export const domains: DomainStore = {
  async find(tx, tenantId, id) {
    const row = await tx.domain.findUnique({ where: { tenantId_id: { tenantId, id } } });
    return row && domainOf(row);
  },
  async ofHost(tx, tenantId, host) {
    const row = await tx.domain.findFirst({ where: { tenantId, host } });
    return row && domainOf(row);
  },
  async list(tx, tenantId, after, limit) {
    const where = { tenantId, ...(after ? { id: { gt: after } } : {}) };
    return (await tx.domain.findMany({ where, orderBy: { id: 'asc' }, take: limit })).map(domainOf);
  },
  async add(tx, domain) {
    // Not `create`: its failure would end the transaction.
    return (await tx.domain.createMany({ data: [rowOf(domain)], skipDuplicates: true })).count === 1;
  },
  async put(tx, domain) {
    await tx.domain.update({ where: { tenantId_id: { tenantId: domain.tenantId, id: domain.id } }, data: rowOf(domain) });
  },
};

const domainOf = ({ catalogVersion, changedAt, ...row }: Domain): DomainData => ({
  ...row,
  state: row.state as EntityState,
  appleApps: row.appleApps as unknown as AppleApp[],
  androidApps: row.androidApps as unknown as AndroidApp[],
  changedAt: changedAt.toISOString(),
  catalogVersion: Number(catalogVersion),
});

const rowOf = ({ rootUrl, appleApps, androidApps, ...domain }: DomainData) => ({
  ...domain,
  rootUrl: rootUrl ?? null,
  appleApps: (appleApps ?? []) as unknown as Prisma.InputJsonArray,
  androidApps: (androidApps ?? []) as unknown as Prisma.InputJsonArray,
});
