import type { EntityState, PartnerData } from '@baton/contracts';
import type { CatalogTx } from './catalog.store';
import type { Partner } from './generated/client';

export interface PartnerStore {
  find(tx: CatalogTx, tenantId: string, id: string): Promise<PartnerData | null>;
  ofCustomer(tx: CatalogTx, tenantId: string, customerId: string): Promise<PartnerData | null>;
  /** By id, after the id `after`. */
  list(tx: CatalogTx, tenantId: string, after: string | undefined, limit: number): Promise<PartnerData[]>;
  /** False: the tenant has a partner of that key already, and nothing was added. */
  add(tx: CatalogTx, partner: PartnerData): Promise<boolean>;
  put(tx: CatalogTx, partner: PartnerData): Promise<void>;
}

export const partners: PartnerStore = {
  async find(tx, tenantId, id) {
    const row = await tx.partner.findUnique({ where: { tenantId_id: { tenantId, id } } });
    return row && partnerOf(row);
  },
  async ofCustomer(tx, tenantId, customerId) {
    const row = await tx.partner.findUnique({ where: { tenantId_customerId: { tenantId, customerId } } });
    return row && partnerOf(row);
  },
  async list(tx, tenantId, after, limit) {
    const where = { tenantId, ...(after ? { id: { gt: after } } : {}) };
    return (await tx.partner.findMany({ where, orderBy: { id: 'asc' }, take: limit })).map(partnerOf);
  },
  async add(tx, partner) {
    // Not `create`: its failure would end the transaction.
    return (await tx.partner.createMany({ data: [partner], skipDuplicates: true })).count === 1;
  },
  async put(tx, partner) {
    await tx.partner.update({ where: { tenantId_id: { tenantId: partner.tenantId, id: partner.id } }, data: partner });
  },
};

export const partnerOf = ({ catalogVersion, changedAt, ...row }: Partner): PartnerData => ({
  ...row,
  state: row.state as EntityState,
  kind: row.kind as PartnerData['kind'],
  changedAt: changedAt.toISOString(),
  catalogVersion: Number(catalogVersion),
});
