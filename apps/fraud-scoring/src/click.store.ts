import type { AttributionRevisedData, ClickRecordedData } from '@baton/contracts';
import type { Tx } from '@baton/platform';
import { BURST_WINDOW_MS, type ClickCounts, COUNT_MAX } from './domain/facts';

/** An address whose clicks matter, at the time of the credited click. */
export interface CreditedClick {
  readonly tenantId: string;
  readonly addressHash: string | null;
  readonly network: string | null;
  readonly clickedAt: string | null;
}

export interface ClickStore {
  /** Stores clicks and holds their addresses until the transaction ends. Gives those not seen before: only they can change a judgement. */
  insert(tx: Tx, clicks: readonly ClickRecordedData[]): Promise<ClickRecordedData[]>;
  /** Holds addresses until the transaction ends: until then nobody adds a click there and nobody judges by one. */
  hold(tx: Tx, clicks: readonly CreditedClick[]): Promise<void>;
  /** Call after `insert` or `hold`, in a statement of its own. In the order of what was asked. */
  counts(tx: Tx, credited: readonly CreditedClick[]): Promise<ClickCounts[]>;
  /** Makes the partitions of the coming months and drops those that are over. Gives how many changed. */
  keepMonths(tx: Tx): Promise<number>;
}

/** Two years and the month that is under way: longer than a click is credited for in all but the oddest program. */
const MONTHS_KEPT = 25;

export const creditedClick = ({ tenantId, credits: [credit] }: AttributionRevisedData): CreditedClick => ({
  tenantId,
  addressHash: credit?.addressHash ?? null,
  network: credit?.network ?? null,
  clickedAt: credit?.occurredAt ?? null,
});

export class PostgresClickStore implements ClickStore {
  async insert(tx: Tx, clicks: readonly ClickRecordedData[]): Promise<ClickRecordedData[]> {
    const fresh = await tx.$queryRawUnsafe<{ tenantId: string; clickId: string }[]>(
      `INSERT INTO clicks AS c (tenant_id, click_id, address_hash, network, occurred_at)
       SELECT r."tenantId", r."clickId", r."addressHash", r.network, r."occurredAt"
       FROM jsonb_to_recordset($1::jsonb) AS r("tenantId" uuid, "clickId" text, "addressHash" text, network text, "occurredAt" timestamptz)
       ORDER BY r."tenantId", r."clickId", r."occurredAt" ON CONFLICT DO NOTHING RETURNING c.tenant_id AS "tenantId", c.click_id AS "clickId"`,
      JSON.stringify(
        clicks.map(({ tenantId, clickId, addressHash, network, occurredAt }) => ({ tenantId, clickId, addressHash, network, occurredAt })),
      ),
    );
    const isFresh = new Set(fresh.map(({ tenantId, clickId }) => `${tenantId} ${clickId}`));
    const stored = clicks.filter(({ tenantId, clickId }) => isFresh.delete(`${tenantId} ${clickId}`));
    await this.holdKeys(tx, stored);
    return stored;
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

  async keepMonths(tx: Tx): Promise<number> {
    const [row] = await tx.$queryRawUnsafe<{ changed: number }[]>('SELECT keep_click_months($1::int) AS changed', MONTHS_KEPT);
    return row?.changed ?? 0;
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
    // Row by row in their order, each by its key: a join, to a planner without statistics, may read all addresses of the tenants.
    await tx.$queryRawUnsafe(
      `SELECT FROM (SELECT * FROM ${recordset} ORDER BY 1, 2) r
       CROSS JOIN LATERAL (SELECT FROM addresses a WHERE a.tenant_id = r."tenantId" AND a.key = r.key FOR UPDATE) held`,
      wanted,
    );
  }
}
