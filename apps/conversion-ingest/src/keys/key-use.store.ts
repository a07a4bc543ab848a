import type { Tx } from '@baton/platform';

export interface KeyUse {
  readonly tenantId: string;
  readonly keyId: string;
  /** RFC 3339, UTC, milliseconds. */
  readonly at: string;
}

export interface KeyUseStore {
  /** A later use stays: replicas write in any order. */
  used(tx: Tx, uses: readonly KeyUse[]): Promise<void>;
  lastUsed(tx: Tx, tenantId: string, keyId: string): Promise<Date | null>;
}

export const keyUseStore: KeyUseStore = {
  async used(tx, uses) {
    await tx.$executeRawUnsafe(
      `INSERT INTO key_uses (tenant_id, key_id, last_used_at)
       SELECT r."tenantId", r."keyId", r.at FROM jsonb_to_recordset($1::jsonb) AS r("tenantId" uuid, "keyId" uuid, at timestamptz)
       ORDER BY 1, 2
       ON CONFLICT (tenant_id, key_id) DO UPDATE SET last_used_at = excluded.last_used_at WHERE excluded.last_used_at > key_uses.last_used_at`,
      JSON.stringify(uses),
    );
  },
  async lastUsed(tx, tenantId, keyId) {
    const [row] = await tx.$queryRawUnsafe<{ last_used_at: Date }[]>(
      'SELECT last_used_at FROM key_uses WHERE tenant_id = $1::uuid AND key_id = $2::uuid',
      tenantId,
      keyId,
    );
    return row?.last_used_at ?? null;
  },
};
