import type { Tx } from '@baton/platform';
import { TENANTS_OF_TRANSACTION } from './attribution.store';

export interface Recheck {
  readonly tenantId: string;
  readonly conversionId: string;
}

/** Conversions that are to be decided again without a new fact: their time to wait ends, or the catalog moved. */
export interface RecheckStore {
  /** Sets, moves and takes away what a decision asks for. */
  plan(tx: Tx, due: readonly (Recheck & { readonly atMs: number })[], over: readonly Recheck[]): Promise<void>;
  /** The catalog brought these: whoever waits for them, or rests on them, is due now. Waits until decisions under way for the transaction's tenants are committed. */
  catalogMoved(
    tx: Tx,
    links: readonly { readonly tenantId: string; readonly number: number }[],
    programs: readonly { readonly tenantId: string; readonly id: string; readonly validFrom: string }[],
  ): Promise<number>;
  /** Takes what is due for `leaseMs`; another replica takes others. What is not decided by then comes up again. Outside tenancy. */
  claim(tx: Tx, countMax: number, leaseMs: number): Promise<Recheck[]>;
  /** How many wait, and for how long the oldest has. Outside tenancy. */
  waiting(tx: Tx): Promise<{ readonly count: number; readonly oldestSeconds: number }>;
}

export class PostgresRecheckStore implements RecheckStore {
  async plan(tx: Tx, due: readonly (Recheck & { readonly atMs: number })[], over: readonly Recheck[]): Promise<void> {
    if (due.length > 0) {
      await tx.$executeRawUnsafe(
        `INSERT INTO rechecks (owner, conversion, due_at, since)
         SELECT d."tenantId", d."conversionId", to_timestamp(d."atMs" / 1000), statement_timestamp() FROM jsonb_to_recordset($1::jsonb) AS d("tenantId" uuid, "conversionId" uuid, "atMs" float8)
         ORDER BY 1, 2 ON CONFLICT (owner, conversion) DO UPDATE SET due_at = excluded.due_at WHERE rechecks.due_at <> excluded.due_at`,
        JSON.stringify(due),
      );
    }
    if (over.length > 0) {
      await tx.$executeRawUnsafe(
        `DELETE FROM rechecks r USING (SELECT "tenantId", "conversionId" FROM jsonb_to_recordset($1::jsonb) AS o("tenantId" uuid, "conversionId" uuid)) o
         WHERE r.owner = o."tenantId" AND r.conversion = o."conversionId"`,
        JSON.stringify(over),
      );
    }
  }

  async catalogMoved(
    tx: Tx,
    links: readonly { readonly tenantId: string; readonly number: number }[],
    programs: readonly { readonly tenantId: string; readonly id: string; readonly validFrom: string }[],
  ): Promise<number> {
    await tx.$queryRawUnsafe(
      `SELECT count(pg_advisory_xact_lock(hashtextextended('attribution.catalog ' || id, 0)))::int AS held FROM ${TENANTS_OF_TRANSACTION}`,
    );
    return tx.$executeRawUnsafe(
      `INSERT INTO rechecks (owner, conversion, due_at, since)
       SELECT c.tenant_id, c.conversion_id, statement_timestamp(), statement_timestamp() FROM jsonb_to_recordset($1::jsonb) AS l("tenantId" uuid, number bigint)
         JOIN conversions c ON c.tenant_id = l."tenantId" AND c.waiting_links <> '{}' AND c.waiting_links @> ARRAY[l.number]
       UNION
       SELECT c.tenant_id, c.conversion_id, statement_timestamp(), statement_timestamp() FROM jsonb_to_recordset($2::jsonb) AS p("tenantId" uuid, id uuid, "validFrom" timestamptz)
         JOIN conversions c ON c.tenant_id = p."tenantId" AND c.occurred_at >= p."validFrom" AND c.rests_on @> ARRAY[p.id]
       ORDER BY 1, 2 ON CONFLICT (owner, conversion) DO UPDATE SET due_at = least(rechecks.due_at, excluded.due_at)`,
      JSON.stringify(links),
      JSON.stringify(programs),
    );
  }

  claim(tx: Tx, countMax: number, leaseMs: number): Promise<Recheck[]> {
    return tx.$queryRawUnsafe(
      `WITH picked AS MATERIALIZED (SELECT owner, conversion FROM rechecks WHERE due_at <= now() ORDER BY due_at LIMIT $1::int FOR UPDATE SKIP LOCKED)
       UPDATE rechecks r SET due_at = now() + $2::float8 * interval '1 millisecond' FROM picked p WHERE r.owner = p.owner AND r.conversion = p.conversion
       RETURNING r.owner AS "tenantId", r.conversion AS "conversionId"`,
      countMax,
      leaseMs,
    );
  }

  async waiting(tx: Tx): Promise<{ readonly count: number; readonly oldestSeconds: number }> {
    const [row] = await tx.$queryRawUnsafe<{ count: number; oldest: number | null }[]>(
      `SELECT count(*)::int AS count, extract(epoch FROM now() - min(since))::float8 AS oldest FROM rechecks`,
    );
    return { count: row?.count ?? 0, oldestSeconds: row?.oldest ?? 0 };
  }
}
