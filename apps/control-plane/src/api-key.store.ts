import type { ApiKeyData, EntityState, RateLimit, Scope } from '@baton/contracts';
import type { CatalogTx } from './catalog.store';
import { type ApiKey, Prisma } from './generated/client';

/** What is published about a key, and what its tenant calls it. */
export interface NamedApiKey {
  readonly data: ApiKeyData;
  readonly name: string;
  readonly shortId: string;
}

export interface ApiKeyStore {
  /** Outside tenancy: whose key has this digest. */
  ownerOf(tx: CatalogTx, digest: string): Promise<{ readonly tenantId: string; readonly id: string } | null>;
  find(tx: CatalogTx, tenantId: string, id: string): Promise<NamedApiKey | null>;
  /** By id, after the id `after`. */
  list(tx: CatalogTx, tenantId: string, after: string | undefined, limit: number): Promise<NamedApiKey[]>;
  /** False: there is a key of that id already, and nothing was added. */
  add(tx: CatalogTx, key: NamedApiKey): Promise<boolean>;
  put(tx: CatalogTx, key: NamedApiKey): Promise<void>;
}

export const apiKeys: ApiKeyStore = {
  async ownerOf(tx, digest) {
    const row = await tx.keyDigest.findUnique({ where: { digest } });
    return row && { tenantId: row.owner, id: row.keyId };
  },
  async find(tx, tenantId, id) {
    const row = await tx.apiKey.findUnique({ where: { tenantId_id: { tenantId, id } } });
    return row && keyOf(row);
  },
  async list(tx, tenantId, after, limit) {
    const where = { tenantId, ...(after ? { id: { gt: after } } : {}) };
    return (await tx.apiKey.findMany({ where, orderBy: { id: 'asc' }, take: limit })).map(keyOf);
  },
  async add(tx, key) {
    const { count } = await tx.apiKey.createMany({ data: [rowOf(key)], skipDuplicates: true });
    if (count === 0) return false;
    await tx.keyDigest.create({ data: { digest: key.data.digest, owner: key.data.tenantId, keyId: key.data.id } });
    return true;
  },
  async put(tx, key) {
    await tx.apiKey.update({ where: { tenantId_id: { tenantId: key.data.tenantId, id: key.data.id } }, data: rowOf(key) });
  },
};

function rowOf({ data: { kind: _kind, rateLimit, allowedAddresses, ...data }, name, shortId }: NamedApiKey) {
  return {
    ...data,
    expiresAt: data.expiresAt ?? null,
    programId: data.programId ?? null,
    rateLimit: rateLimit ? (rateLimit as unknown as Prisma.InputJsonObject) : Prisma.DbNull,
    allowedAddresses: allowedAddresses ?? [],
    signed: data.signed ?? false,
    name,
    shortId,
  };
}

function keyOf({ catalogVersion, changedAt, expiresAt, name, shortId, rateLimit, allowedAddresses, ...row }: ApiKey): NamedApiKey {
  const data = {
    ...row,
    kind: 'secret' as const,
    state: row.state as EntityState,
    scopes: row.scopes as Scope[],
    expiresAt: expiresAt?.toISOString() ?? null,
    rateLimit: rateLimit as unknown as RateLimit | null,
    allowedAddresses: allowedAddresses.length > 0 ? allowedAddresses : null,
    changedAt: changedAt.toISOString(),
    catalogVersion: Number(catalogVersion),
  };
  return { data, name, shortId };
}
