import type { EntityState, PlanData } from '@baton/contracts';
import type { CatalogTx } from './catalog.store';
import type { PlanVersion } from './generated/client';

/** Terms of reward plans. Versions are added, never edited. */
export interface PlanStore {
  newest(tx: CatalogTx, tenantId: string, id: string): Promise<PlanData | null>;
  /** Oldest first. */
  versions(tx: CatalogTx, tenantId: string, id: string): Promise<PlanData[]>;
  /** The newest version of each, by id, after the id `after`; of one program if it is named. */
  list(tx: CatalogTx, tenantId: string, programId: string | undefined, after: string | undefined, limit: number): Promise<PlanData[]>;
  add(tx: CatalogTx, plan: PlanData): Promise<void>;
}

export const plans: PlanStore = {
  async newest(tx, tenantId, id) {
    const row = await tx.planVersion.findFirst({ where: { tenantId, id }, orderBy: { version: 'desc' } });
    return row && planOf(row);
  },
  async versions(tx, tenantId, id) {
    return (await tx.planVersion.findMany({ where: { tenantId, id }, orderBy: { version: 'asc' } })).map(planOf);
  },
  async list(tx, tenantId, programId, after, limit) {
    const where = { tenantId, ...(programId ? { programId } : {}), ...(after ? { id: { gt: after } } : {}) };
    const rows = await tx.planVersion.findMany({ where, distinct: ['id'], orderBy: [{ id: 'asc' }, { version: 'desc' }], take: limit });
    return rows.map(planOf);
  },
  async add(tx, plan) {
    await tx.planVersion.create({ data: plan });
  },
};

const planOf = ({ catalogVersion, changedAt, validFrom, amountMinor, ...row }: PlanVersion): PlanData => ({
  ...row,
  state: row.state as EntityState,
  kind: row.kind as PlanData['kind'],
  amountMinor: amountMinor === null ? null : Number(amountMinor),
  validFrom: validFrom.toISOString(),
  changedAt: changedAt.toISOString(),
  catalogVersion: Number(catalogVersion),
});
