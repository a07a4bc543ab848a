import type { EntityState, LinkData, LinkTarget } from '@baton/contracts';
import type { CatalogTx } from './catalog.store';
import { type Link, Prisma } from './generated/client';

export interface LinkStore {
  find(tx: CatalogTx, tenantId: string, id: string): Promise<LinkData | null>;
  /** The link with which a customer refers others to a program. */
  referral(tx: CatalogTx, tenantId: string, programId: string, partnerId: string): Promise<LinkData | null>;
  /** Those with which these partners refer others, of every program. */
  referrals(tx: CatalogTx, tenantId: string, partnerIds: readonly string[]): Promise<LinkData[]>;
  /** By number, after the number `after`; of one partner if it is named. */
  list(tx: CatalogTx, tenantId: string, partnerId: string | undefined, after: number | undefined, limit: number): Promise<LinkData[]>;
  /** A number that no link has had, not even one that was never committed. */
  nextNumber(tx: CatalogTx): Promise<number>;
  /** False: some tenant has a link of that slug already, and nothing was added. */
  add(tx: CatalogTx, link: LinkData, referral: boolean): Promise<boolean>;
  put(tx: CatalogTx, link: LinkData): Promise<void>;
}

export const links: LinkStore = {
  async find(tx, tenantId, id) {
    const row = await tx.link.findUnique({ where: { tenantId_id: { tenantId, id } } });
    return row && linkOf(row);
  },
  async referral(tx, tenantId, programId, partnerId) {
    const row = await tx.link.findFirst({ where: { tenantId, programId, partnerId, referral: true } });
    return row && linkOf(row);
  },
  async referrals(tx, tenantId, partnerIds) {
    if (partnerIds.length === 0) return [];
    return (await tx.link.findMany({ where: { tenantId, partnerId: { in: [...partnerIds] }, referral: true } })).map(linkOf);
  },
  async list(tx, tenantId, partnerId, after, limit) {
    const where = { tenantId, ...(partnerId ? { partnerId } : {}), ...(after ? { number: { gt: after } } : {}) };
    return (await tx.link.findMany({ where, orderBy: { number: 'asc' }, take: limit })).map(linkOf);
  },
  async nextNumber(tx) {
    const [row] = await tx.$queryRawUnsafe<{ number: bigint }[]>("SELECT nextval('link_numbers') AS number");
    return Number(row?.number);
  },
  async add(tx, link, referral) {
    // Not `create`: its failure would end the transaction.
    return (await tx.link.createMany({ data: [{ ...rowOf(link), referral }], skipDuplicates: true })).count === 1;
  },
  async put(tx, link) {
    await tx.link.update({ where: { tenantId_id: { tenantId: link.tenantId, id: link.id } }, data: rowOf(link) });
  },
};

export const linkOf = ({ referral: _referral, ...row }: Link): LinkData => ({
  tenantId: row.tenantId,
  id: row.id,
  version: row.version,
  state: row.state as EntityState,
  changedAt: row.changedAt.toISOString(),
  catalogVersion: Number(row.catalogVersion),
  slug: row.slug,
  number: Number(row.number),
  programId: row.programId,
  partnerId: row.partnerId,
  destination: row.destination,
  subIds: row.subIds as Record<string, string>,
  ...said({
    utm: row.utm as Record<string, string> | null,
    startsAt: row.startsAt?.toISOString(),
    endsAt: row.endsAt?.toISOString(),
    clickCap: row.clickCap === null ? null : Number(row.clickCap),
    fallbackUrl: row.fallbackUrl,
    targets: row.targets as unknown as LinkTarget[] | null,
    deepLink: row.deepLink,
  }),
});

/** Most links have none of these: what is null is left out of what is published. */
const said = <T extends object>(fields: T): Partial<T> =>
  Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== null && value !== undefined)) as Partial<T>;

const rowOf = ({ utm, startsAt, endsAt, clickCap, fallbackUrl, targets, deepLink, ...link }: LinkData) => ({
  ...link,
  utm: utm ?? Prisma.DbNull,
  startsAt: startsAt ?? null,
  endsAt: endsAt ?? null,
  clickCap: clickCap ?? null,
  fallbackUrl: fallbackUrl ?? null,
  targets: targets ? (targets as unknown as Prisma.InputJsonArray) : Prisma.DbNull,
  deepLink: deepLink ?? null,
});
