import type { ClickRecordedData } from '@baton/contracts';
import type { Tx } from '@baton/platform';
import type { ClickRecord } from './domain/facts';

export interface ClickKey {
  readonly tenantId: string;
  /** The UTC day in the click id, `YYYY-MM-DD`. */
  readonly day: string;
  readonly clickId: string;
}

export type RecordedClick = ClickRecordedData & { readonly day: string };

/** A click as the table has it: a record, or only the row that a fact left for it. */
export interface ClickRow extends ClickKey {
  readonly root: string;
  readonly customerIds: string[];
  readonly record: ClickRecord | null;
}

export interface ClickStore {
  /** Stores records of clicks. Gives those that found an empty row waiting, which someone has named: `fill` them under the person's lock. */
  add(tx: Tx, clicks: readonly RecordedClick[]): Promise<{ readonly fresh: ClickKey[]; readonly awaited: ClickKey[] }>;
  /** An empty row for each click that is named and not recorded yet. */
  expect(tx: Tx, clicks: readonly ClickKey[]): Promise<void>;
  /** Fills empty rows; gives those that were. */
  fill(tx: Tx, clicks: readonly RecordedClick[]): Promise<ClickKey[]>;
  /** Notes that one fact named the click and the customers together; gives those to which that was new. */
  tie(tx: Tx, ties: readonly (ClickKey & { readonly customerIds: readonly string[] })[]): Promise<ClickKey[]>;
  ofPersons(tx: Tx, persons: readonly { readonly tenantId: string; readonly root: string }[]): Promise<ClickRow[]>;
  /** Partitions for the coming days (and some past ones, for replays). Gives how many were made. */
  makePartitions(tx: Tx): Promise<number>;
}

const RECORD_COLUMNS = `"tenantId" uuid, day date, "clickId" text, "linkId" uuid, "programId" uuid, "partnerId" uuid, bot boolean, prefetch boolean,
  "subIds" jsonb, network text, "addressHash" text, country text`;
const KEY = `c.tenant_id AS "tenantId", c.day::text AS day, c.click_id AS "clickId"`;
const DAYS_BACK = 31;
const DAYS_AHEAD = 7;

export class PostgresClickStore implements ClickStore {
  async add(tx: Tx, clicks: readonly RecordedClick[]): Promise<{ readonly fresh: ClickKey[]; readonly awaited: ClickKey[] }> {
    const fresh = await tx.$queryRawUnsafe<ClickKey[]>(
      `INSERT INTO clicks AS c (tenant_id, day, click_id, filled, link_id, program_id, partner_id, bot, prefetch, sub_ids, network, address_hash, country)
       SELECT r."tenantId", r.day, r."clickId", true, r."linkId", r."programId", r."partnerId", r.bot, r.prefetch, r."subIds", r.network, r."addressHash", r.country
       FROM jsonb_to_recordset($1::jsonb) AS r(${RECORD_COLUMNS}) ORDER BY r."tenantId", r.day, r."clickId" COLLATE "C"
       ON CONFLICT DO NOTHING RETURNING ${KEY}`,
      JSON.stringify(clicks),
    );
    if (fresh.length === clicks.length) return { fresh, awaited: [] };
    const awaited = await tx.$queryRawUnsafe<ClickKey[]>(
      `SELECT ${KEY} FROM jsonb_to_recordset($1::jsonb) AS r("tenantId" uuid, day date, "clickId" text)
       JOIN clicks c ON c.tenant_id = r."tenantId" AND c.day = r.day AND c.click_id = r."clickId" WHERE NOT c.filled`,
      JSON.stringify(clicks.map(keyOfClick)),
    );
    return { fresh, awaited };
  }

  async expect(tx: Tx, clicks: readonly ClickKey[]): Promise<void> {
    if (clicks.length === 0) return;
    await tx.$executeRawUnsafe(
      `INSERT INTO clicks (tenant_id, day, click_id, filled) SELECT r."tenantId", r.day, r."clickId", false
       FROM jsonb_to_recordset($1::jsonb) AS r("tenantId" uuid, day date, "clickId" text) ORDER BY r."tenantId", r.day, r."clickId" COLLATE "C"
       ON CONFLICT DO NOTHING`,
      JSON.stringify(clicks.map(keyOfClick)),
    );
  }

  async fill(tx: Tx, clicks: readonly RecordedClick[]): Promise<ClickKey[]> {
    if (clicks.length === 0) return [];
    return tx.$queryRawUnsafe(
      `UPDATE clicks c SET filled = true, link_id = r."linkId", program_id = r."programId", partner_id = r."partnerId", bot = r.bot, prefetch = r.prefetch,
         sub_ids = r."subIds", network = r.network, address_hash = r."addressHash", country = r.country
       FROM jsonb_to_recordset($1::jsonb) AS r(${RECORD_COLUMNS})
       WHERE c.tenant_id = r."tenantId" AND c.day = r.day AND c.click_id = r."clickId" AND NOT c.filled RETURNING ${KEY}`,
      JSON.stringify(clicks),
    );
  }

  async tie(tx: Tx, ties: readonly (ClickKey & { readonly customerIds: readonly string[] })[]): Promise<ClickKey[]> {
    if (ties.length === 0) return [];
    return tx.$queryRawUnsafe(
      `UPDATE clicks c SET customer_ids = ARRAY(SELECT DISTINCT id FROM unnest(c.customer_ids || r."customerIds") AS id ORDER BY id)
       FROM jsonb_to_recordset($1::jsonb) AS r("tenantId" uuid, day date, "clickId" text, "customerIds" text[])
       WHERE c.tenant_id = r."tenantId" AND c.day = r.day AND c.click_id = r."clickId" AND NOT c.customer_ids @> r."customerIds" RETURNING ${KEY}`,
      JSON.stringify(ties),
    );
  }

  async ofPersons(tx: Tx, persons: readonly { readonly tenantId: string; readonly root: string }[]): Promise<ClickRow[]> {
    return tx.$queryRawUnsafe(
      // Each click is found by its primary key, so that of all the days only its own is looked at.
      `SELECT ${KEY}, i.root, c.customer_ids AS "customerIds",
         CASE WHEN c.filled THEN jsonb_build_object('linkId', c.link_id, 'programId', c.program_id, 'partnerId', c.partner_id, 'bot', c.bot, 'prefetch', c.prefetch,
           'subIds', c.sub_ids, 'network', c.network, 'addressHash', c.address_hash, 'country', c.country) END AS record
       FROM jsonb_to_recordset($1::jsonb) AS p("tenantId" uuid, root text)
       CROSS JOIN LATERAL (SELECT * FROM identifiers i WHERE i.tenant_id = p."tenantId" AND i.root = p.root AND i.click_id IS NOT NULL OFFSET 0) AS i
       CROSS JOIN LATERAL (SELECT * FROM clicks c WHERE c.tenant_id = i.tenant_id AND c.day = i.day AND c.click_id = i.click_id OFFSET 0) AS c`,
      JSON.stringify(persons),
    );
  }

  async makePartitions(tx: Tx): Promise<number> {
    const [row] = await tx.$queryRawUnsafe<{ made: number }[]>(
      'SELECT make_click_partitions($1::int, $2::int) AS made',
      DAYS_BACK,
      DAYS_AHEAD,
    );
    return row?.made ?? 0;
  }
}

const keyOfClick = ({ tenantId, day, clickId }: ClickKey): ClickKey => ({ tenantId, day, clickId });
