import type { AttributionRevisedData, ClickRecordedData } from '@baton/contracts';
import type { Tx } from '@baton/platform';
import { BURST_WINDOW_MS, type ClickCounts } from './domain/facts';

/** An address whose clicks matter, at the time of the credited click. */
export interface CreditedClick {
  readonly tenantId: string;
  readonly addressHash: string | null;
  readonly network: string | null;
  readonly clickedAt: string | null;
}

export interface ClickStore {
  /** Stores clicks not seen before and holds their addresses until the transaction ends. */
  insert(tx: Tx, clicks: readonly ClickRecordedData[]): Promise<void>;
  /** Holds addresses until the transaction ends: until then nobody adds a click there and nobody judges by one. */
  hold(tx: Tx, clicks: readonly CreditedClick[]): Promise<void>;
  /** Call after `insert` or `hold`, in a statement of its own. In the order of what was asked. */
  counts(tx: Tx, credited: readonly CreditedClick[]): Promise<ClickCounts[]>;
}

/** Beyond this a count says no more. */
const COUNT_MAX = 1_000;

export const creditedClick = ({ tenantId, credits: [credit] }: AttributionRevisedData): CreditedClick => ({
  tenantId,
  addressHash: credit?.addressHash ?? null,
  network: credit?.network ?? null,
  clickedAt: credit?.occurredAt ?? null,
});

export class PostgresClickStore implements ClickStore {
  async insert(tx: Tx, clicks: readonly ClickRecordedData[]): Promise<void> {
    await tx.$executeRawUnsafe(
      `INSERT INTO clicks (tenant_id, click_id, address_hash, network, occurred_at)
       SELECT r."tenantId", r."clickId", r."addressHash", r.network, r."occurredAt"
       FROM jsonb_to_recordset($1::jsonb) AS r("tenantId" uuid, "clickId" text, "addressHash" text, network text, "occurredAt" timestamptz)
       ORDER BY r."tenantId", r."clickId" ON CONFLICT DO NOTHING`,
      JSON.stringify(
        clicks.map(({ tenantId, clickId, addressHash, network, occurredAt }) => ({ tenantId, clickId, addressHash, network, occurredAt })),
      ),
    );
    await this.holdKeys(tx, clicks);
  }

  hold(tx: Tx, clicks: readonly CreditedClick[]): Promise<void> {
    return this.holdKeys(tx, clicks);
  }

  async counts(tx: Tx, credited: readonly CreditedClick[]): Promise<ClickCounts[]> {
    if (credited.length === 0) return [];
    const rows = await tx.$queryRawUnsafe<{ same_address: number; same_network: number }[]>(
      `SELECT
         (SELECT count(*) FROM (SELECT FROM clicks c WHERE c.tenant_id = w."tenantId" AND c.address_hash = w."addressHash" AND c.occurred_at > w."clickedAt" - $2::float8 * interval '1 ms' AND c.occurred_at <= w."clickedAt" LIMIT ${COUNT_MAX}) s)::int AS same_address,
         (SELECT count(*) FROM (SELECT FROM clicks c WHERE c.tenant_id = w."tenantId" AND c.network = w.network AND c.occurred_at > w."clickedAt" - $2::float8 * interval '1 ms' AND c.occurred_at <= w."clickedAt" LIMIT ${COUNT_MAX}) s)::int AS same_network
       FROM ROWS FROM (jsonb_to_recordset($1::jsonb) AS ("tenantId" uuid, "addressHash" text, network text, "clickedAt" timestamptz)) WITH ORDINALITY AS w("tenantId", "addressHash", network, "clickedAt", n)
       ORDER BY w.n`,
      JSON.stringify(credited),
      BURST_WINDOW_MS,
    );
    return rows.map((row) => ({ sameAddress: row.same_address, sameNetwork: row.same_network }));
  }

  private async holdKeys(
    tx: Tx,
    clicks: readonly { tenantId: string; addressHash?: string | null; network?: string | null }[],
  ): Promise<void> {
    const keys = new Map<string, { tenantId: string; key: string }>();
    for (const { tenantId, addressHash, network } of clicks) {
      for (const key of [addressHash && `address:${addressHash}`, network && `network:${network}`])
        if (key) keys.set(`${tenantId} ${key}`, { tenantId, key });
    }
    if (keys.size === 0) return;
    const wanted = JSON.stringify([...keys.values()]);
    const recordset = 'jsonb_to_recordset($1::jsonb) AS r("tenantId" uuid, key text)';
    await tx.$executeRawUnsafe(
      `INSERT INTO addresses (tenant_id, key) SELECT r."tenantId", r.key FROM ${recordset} ORDER BY 1, 2 ON CONFLICT DO NOTHING`,
      wanted,
    );
    await tx.$queryRawUnsafe(
      `SELECT FROM addresses a WHERE (a.tenant_id, a.key) IN (SELECT r."tenantId", r.key FROM ${recordset}) ORDER BY a.tenant_id, a.key FOR UPDATE`,
      wanted,
    );
  }
}
