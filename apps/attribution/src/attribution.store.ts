import type { AttributionRevisedData } from '@baton/contracts';
import type { Tx } from '@baton/platform';
import type { Conversion } from './domain/facts';
import { EXTERNAL } from './domain/naming';

export interface ConversionKey {
  readonly tenantId: string;
  readonly externalId: string;
}
export interface PersonKey {
  readonly tenantId: string;
  readonly root: string;
}

/** A conversion to decide, and what was decided last. */
export interface ConversionRow extends Conversion {
  readonly tenantId: string;
  readonly root: string;
  /** The newest revision; 0 before the first. */
  readonly revision: number;
  readonly contentHash: string;
  readonly wasSettled: boolean;
  readonly waitingLinks: number[];
  readonly restsOn: string[];
  /** Waiting ends then, by the database's clock. */
  readonly settlesAtMs: number;
  readonly nowMs: number;
}

/** What a decision leaves behind: the state of its conversion, its revision where the content is new, and when to decide again. */
export interface Decided {
  readonly tenantId: string;
  readonly conversionId: string;
  readonly contentHash: string;
  readonly settled: boolean;
  readonly waitingLinks: readonly number[];
  readonly restsOn: readonly string[];
  readonly revision: number;
  readonly revised: AttributionRevisedData | null;
}

export interface AttributionStore {
  /** Keeps the catalogs of the transaction's tenants as they are until it ends: `catalogMoved` waits for it, and it for `catalogMoved`. */
  holdCatalog(tx: Tx): Promise<void>;
  /** All conversions of these persons, and these conversions: locked, each once. The persons are locked by the caller. */
  toDecide(tx: Tx, persons: readonly PersonKey[], conversions: readonly ConversionKey[], pendingMs: number): Promise<ConversionRow[]>;
  write(tx: Tx, decided: readonly Decided[]): Promise<void>;
  externalIdsOf(tx: Tx, conversions: readonly { readonly tenantId: string; readonly conversionId: string }[]): Promise<ConversionKey[]>;
  /** Lets the planner look again at tables that changed much; gives how many there were. Outside tenancy. */
  refreshStatistics(tx: Tx): Promise<number>;
}

/** All of a transaction's tenants at once and sorted: taken in two goes, they could deadlock. */
export const TENANTS_OF_TRANSACTION = `(SELECT unnest(current_setting('app.tenants')::uuid[])::text AS id ORDER BY 1) AS tenants`;

export class PostgresAttributionStore implements AttributionStore {
  async holdCatalog(tx: Tx): Promise<void> {
    // Advisory, since there is no row that every tenant has; at most one a tenant of the batch, far from the memory for locks.
    await tx.$queryRawUnsafe(
      `SELECT count(pg_advisory_xact_lock_shared(hashtextextended('attribution.catalog ' || id, 0)))::int AS held FROM ${TENANTS_OF_TRANSACTION}`,
    );
  }

  toDecide(tx: Tx, persons: readonly PersonKey[], conversions: readonly ConversionKey[], pendingMs: number): Promise<ConversionRow[]> {
    return tx.$queryRawUnsafe(
      // Each look-up is bound to its key (LATERAL): a planner whose statistics are behind would read all of a tenant's rows instead.
      `WITH wanted AS (
         SELECT m.* FROM jsonb_to_recordset($1::jsonb) AS p("tenantId" uuid, root text)
         CROSS JOIN LATERAL (SELECT i.tenant_id, i.external_id, i.root FROM identifiers i WHERE i.tenant_id = p."tenantId" AND i.root = p.root AND i.external_id IS NOT NULL OFFSET 0) AS m
         UNION
         SELECT m.* FROM jsonb_to_recordset($2::jsonb) AS n("tenantId" uuid, identifier text)
         CROSS JOIN LATERAL (SELECT i.tenant_id, i.external_id, i.root FROM identifiers i WHERE i.tenant_id = n."tenantId" AND i.identifier = n.identifier OFFSET 0) AS m
       )
       SELECT c.tenant_id AS "tenantId", c.conversion_id AS "conversionId", c.external_id AS "externalId", c.receipt_id AS "receiptId", c.program_id AS "programId", c.type,
         c.amount_minor::float8 AS "amountMinor", c.currency, (extract(epoch FROM c.occurred_at) * 1000)::float8 AS "occurredAtMs", c.test, c.click_id AS "clickId", c.customer_id AS "customerId",
         c.dropped_evidence AS "droppedEvidence", c.pending_verification AS "pendingVerification", w.root, c.revision, c.content_hash AS "contentHash", c.settled AS "wasSettled", c.waiting_links::float8[] AS "waitingLinks", c.rests_on::text[] AS "restsOn",
         (extract(epoch FROM c.received_at) * 1000)::float8 + $3::float8 AS "settlesAtMs", floor(extract(epoch FROM statement_timestamp()) * 1000)::float8 AS "nowMs"
       FROM (SELECT * FROM wanted ORDER BY tenant_id, external_id) AS w
       CROSS JOIN LATERAL (SELECT * FROM conversions c WHERE c.tenant_id = w.tenant_id AND c.external_id = w.external_id ORDER BY c.conversion_id FOR UPDATE) AS c`,
      JSON.stringify(persons),
      JSON.stringify(conversions.map(({ tenantId, externalId }) => ({ tenantId, identifier: EXTERNAL + externalId }))),
      pendingMs,
    );
  }

  async write(tx: Tx, decided: readonly Decided[]): Promise<void> {
    if (decided.length === 0) return;
    await tx.$executeRawUnsafe(
      `INSERT INTO attributions (tenant_id, conversion_id, revision, outcome, content, decided_at)
       SELECT (r->>'tenantId')::uuid, (r->>'conversionId')::uuid, (r->>'revision')::int, r->>'outcome', r, (r->>'decidedAt')::timestamptz
       FROM jsonb_array_elements($1::jsonb) AS r ORDER BY 1, 2`,
      JSON.stringify(decided.flatMap(({ revised }) => revised ?? [])),
    );
    await tx.$executeRawUnsafe(
      `UPDATE conversions c SET revision = d.revision, content_hash = d."contentHash", settled = d.settled, waiting_links = d."waitingLinks", rests_on = d."restsOn"
       FROM jsonb_to_recordset($1::jsonb) AS d("tenantId" uuid, "conversionId" uuid, revision int, "contentHash" text, settled boolean, "waitingLinks" bigint[], "restsOn" uuid[])
       WHERE c.tenant_id = d."tenantId" AND c.conversion_id = d."conversionId"`,
      JSON.stringify(decided.map(({ revised: _, ...state }) => state)),
    );
  }

  externalIdsOf(tx: Tx, conversions: readonly { readonly tenantId: string; readonly conversionId: string }[]): Promise<ConversionKey[]> {
    return tx.$queryRawUnsafe(
      `SELECT c.tenant_id AS "tenantId", c.external_id AS "externalId" FROM jsonb_to_recordset($1::jsonb) AS w("tenantId" uuid, "conversionId" uuid)
       JOIN conversions c ON c.tenant_id = w."tenantId" AND c.conversion_id = w."conversionId"`,
      JSON.stringify(conversions),
    );
  }

  async refreshStatistics(tx: Tx): Promise<number> {
    const [row] = await tx.$queryRawUnsafe<{ refreshed: number }[]>('SELECT refresh_statistics() AS refreshed');
    return row?.refreshed ?? 0;
  }
}
