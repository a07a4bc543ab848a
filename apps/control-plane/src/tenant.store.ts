import type { EntityState, TenantEntity } from '@baton/contracts';
import type { CatalogTx } from './catalog.store';
import type { Tenant } from './generated/client';

export interface TenantStore {
  find(tx: CatalogTx, tenantId: string): Promise<TenantEntity | null>;
  add(tx: CatalogTx, tenant: TenantEntity): Promise<void>;
  put(tx: CatalogTx, tenant: TenantEntity): Promise<void>;
}

export const tenants: TenantStore = {
  async find(tx, tenantId) {
    const row = await tx.tenant.findUnique({ where: { tenantId } });
    return row && tenantOf(row);
  },
  async add(tx, { id: _id, ...tenant }) {
    await tx.tenant.create({ data: tenant });
  },
  async put(tx, { id: _id, ...tenant }) {
    await tx.tenant.update({ where: { tenantId: tenant.tenantId }, data: tenant });
  },
};

const tenantOf = ({ catalogVersion, changedAt, reversalCapMinor, ...row }: Tenant): TenantEntity => ({
  ...row,
  id: row.tenantId,
  state: row.state as EntityState,
  changedAt: changedAt.toISOString(),
  catalogVersion: Number(catalogVersion),
  reversalCapMinor: reversalCapMinor === null ? null : Number(reversalCapMinor),
});
