import type { ConversionReceivedData, ReversalReceivedData } from '@baton/contracts';
import type { Tx } from '@baton/platform';

/** Another name of a conversion than its external id. */
export interface Alias {
  readonly alias: string;
  readonly externalId: string;
}

/** Names of conversions, and the facts behind them. Every call belongs to a transaction of the one tenant. */
export interface AliasStore {
  /** What was stored first for a name stays. */
  insert(tx: Tx, tenantId: string, door: string, aliases: readonly Alias[]): Promise<void>;
  aliasesOf(tx: Tx, door: string, names: readonly string[]): Promise<Alias[]>;
  /** Reversals that came through the door and name these as their conversions. */
  reversalsOf(tx: Tx, door: string, names: readonly string[]): Promise<ReversalReceivedData[]>;
  conversionsOf(tx: Tx, externalIds: readonly string[]): Promise<ConversionReceivedData[]>;
}

const OWN = `tenant_id = current_setting('app.tenant')::uuid`;

export const aliasStore: AliasStore = {
  async insert(tx, tenantId, door, aliases) {
    if (aliases.length === 0) return;
    await tx.$executeRawUnsafe(
      `INSERT INTO door_aliases (tenant_id, door, alias, external_id)
       SELECT $2::uuid, $3, r.alias, r."externalId" FROM jsonb_to_recordset($1::jsonb) AS r(alias text, "externalId" text) ORDER BY r.alias COLLATE "C"
       ON CONFLICT DO NOTHING`,
      JSON.stringify(aliases),
      tenantId,
      door,
    );
  },

  async aliasesOf(tx, door, names) {
    if (names.length === 0) return [];
    const rows = await tx.$queryRawUnsafe<{ alias: string; external_id: string }[]>(
      `SELECT alias, external_id FROM door_aliases WHERE ${OWN} AND door = $1 AND alias = ANY ($2::text[]) ORDER BY alias`,
      door,
      names,
    );
    return rows.map((row) => ({ alias: row.alias, externalId: row.external_id }));
  },

  reversalsOf: (tx, door, names) => dataOf<ReversalReceivedData>(tx, `kind = 'reversal' AND door = $2`, names, door),
  conversionsOf: (tx, externalIds) => dataOf<ConversionReceivedData>(tx, `kind = 'conversion'`, externalIds),
};

async function dataOf<T>(tx: Tx, where: string, externalIds: readonly string[], ...more: unknown[]): Promise<T[]> {
  if (externalIds.length === 0) return [];
  const rows = await tx.$queryRawUnsafe<{ data: T }[]>(
    `SELECT data FROM facts WHERE ${OWN} AND external_id = ANY ($1::text[]) AND ${where} ORDER BY received_at, fact_id`,
    externalIds,
    ...more,
  );
  return rows.map(({ data }) => data);
}
