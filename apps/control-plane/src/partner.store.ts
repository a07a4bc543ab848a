import type { EntityState, PartnerData } from '@baton/contracts';
import type { CatalogTx } from './catalog.store';
import { STEPS_MAX } from './domain/referral';
import type { Partner } from './generated/client';

export interface PartnerStore {
  find(tx: CatalogTx, tenantId: string, id: string): Promise<PartnerData | null>;
  ofCustomer(tx: CatalogTx, tenantId: string, customerId: string): Promise<PartnerData | null>;
  /** By id, after the id `after`. */
  list(tx: CatalogTx, tenantId: string, after: string | undefined, limit: number): Promise<PartnerData[]>;
  /** False: the tenant has a partner of that key already, and nothing was added. */
  add(tx: CatalogTx, partner: PartnerData): Promise<boolean>;
  put(tx: CatalogTx, partner: PartnerData): Promise<void>;
  ofCustomers(tx: CatalogTx, tenantId: string, customerIds: readonly string[]): Promise<PartnerData[]>;
  /** New ones, of customers who have none. Throws where another partner has the key of one. */
  addMany(tx: CatalogTx, partners: readonly PartnerData[]): Promise<void>;
  /** Partners and whoever referred whom up to them, at most `STEPS_MAX` steps. */
  withThoseAbove(tx: CatalogTx, tenantId: string, ids: readonly string[]): Promise<PartnerData[]>;
  /** Whom these referred, and whom those did, at most `STEPS_MAX` steps and `BELOW_MAX` partners, the nearest first. */
  thoseBelow(tx: CatalogTx, tenantId: string, ids: readonly string[]): Promise<PartnerData[]>;
  /** By whom they were referred, and their depth, in a new version. */
  placeMany(tx: CatalogTx, partners: readonly PartnerData[]): Promise<void>;
}

/** Those further below keep the depth that they were told: who counts, counts by walking up. */
const BELOW_MAX = 5_000;

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
  async ofCustomers(tx, tenantId, customerIds) {
    if (customerIds.length === 0) return [];
    return (await tx.partner.findMany({ where: { tenantId, customerId: { in: [...customerIds] } }, orderBy: { id: 'asc' } })).map(
      partnerOf,
    );
  },
  async addMany(tx, added) {
    if (added.length === 0) return;
    const data = [...added].sort((a, b) => (a.id < b.id ? -1 : 1));
    const { count } = await tx.partner.createMany({ data, skipDuplicates: true });
    if (count !== added.length) throw new Error('no free partner key');
  },
  async withThoseAbove(tx, tenantId, ids) {
    if (ids.length === 0) return [];
    const rows = await tx.$queryRawUnsafe<{ id: string }[]>(
      `WITH RECURSIVE chain(id, up, step) AS (
         SELECT p.id, p.referred_by, 0 FROM partners p WHERE p.tenant_id = $1::uuid AND p.id = ANY ($2::uuid[])
         UNION
         SELECT p.id, p.referred_by, c.step + 1 FROM chain c JOIN partners p ON p.tenant_id = $1::uuid AND p.id = c.up WHERE c.step < ${STEPS_MAX}
       ) SELECT DISTINCT id::text AS id FROM chain`,
      tenantId,
      ids,
    );
    return byIds(tx, tenantId, rows);
  },
  async thoseBelow(tx, tenantId, ids) {
    if (ids.length === 0) return [];
    const rows = await tx.$queryRawUnsafe<{ id: string }[]>(
      `WITH RECURSIVE tree(id, step) AS (
         SELECT p.id, 1 FROM partners p WHERE p.tenant_id = $1::uuid AND p.referred_by = ANY ($2::uuid[])
         UNION
         SELECT p.id, t.step + 1 FROM tree t JOIN partners p ON p.tenant_id = $1::uuid AND p.referred_by = t.id WHERE t.step < ${STEPS_MAX}
       ) SELECT id::text AS id FROM tree GROUP BY id ORDER BY min(step), id LIMIT ${BELOW_MAX}`,
      tenantId,
      ids,
    );
    return byIds(tx, tenantId, rows);
  },
  async placeMany(tx, placed) {
    if (placed.length === 0) return;
    await tx.$executeRawUnsafe(
      `UPDATE partners p SET version = r.version, changed_at = r."changedAt", catalog_version = r."catalogVersion", referred_by = r."referredBy", referral_depth = r."referralDepth"
       FROM jsonb_to_recordset($1::jsonb) AS r("tenantId" uuid, id uuid, version int, "changedAt" timestamptz, "catalogVersion" bigint, "referredBy" uuid, "referralDepth" int)
       WHERE p.tenant_id = r."tenantId" AND p.id = r.id`,
      JSON.stringify(placed),
    );
  },
};

const byIds = async (tx: CatalogTx, tenantId: string, rows: readonly { readonly id: string }[]): Promise<PartnerData[]> =>
  (await tx.partner.findMany({ where: { tenantId, id: { in: rows.map(({ id }) => id) } } })).map(partnerOf);

export const partnerOf = ({ catalogVersion, changedAt, ...row }: Partner): PartnerData => ({
  ...row,
  state: row.state as EntityState,
  kind: row.kind as PartnerData['kind'],
  changedAt: changedAt.toISOString(),
  catalogVersion: Number(catalogVersion),
});
