import type { Tx } from '@baton/platform';
import type { ConversionKey, ProgramKey } from './conversion.store';

export type RevisitReason = 'hold_ends' | 'terms_arrived' | 'awaits_terms';
export interface Revisit extends ConversionKey {
  readonly why: RevisitReason;
  readonly dueAtMs: number;
}

/** When to settle which conversion again. It lies outside tenancy, so that a worker can find work before it knows whose. */
export interface RevisitStore {
  /** What a settling found replaces what was planned; a conversion without a revisit has none any more. */
  plan(tx: Tx, settled: readonly ConversionKey[], revisits: readonly Revisit[]): Promise<void>;
  /** Every conversion of these programs from an instant (RFC 3339) on is due at once. */
  planOfPrograms(tx: Tx, programs: readonly (ProgramKey & { readonly from: string })[], nowMs: number): Promise<number>;
  /** Those due longest first, at most `limit`. */
  due(tx: Tx, nowMs: number, limit: number): Promise<ConversionKey[]>;
  postpone(tx: Tx, conversion: ConversionKey, dueAtMs: number): Promise<void>;
  /** Cheap to ask however many holds are running. */
  pulse(tx: Tx): Promise<{ readonly awaitingTerms: number; readonly overdueSeconds: number }>;
}

const ROWS = `jsonb_to_recordset($1::jsonb)`;

export class PostgresRevisitStore implements RevisitStore {
  async plan(tx: Tx, settled: readonly ConversionKey[], revisits: readonly Revisit[]): Promise<void> {
    const textOf = (key: ConversionKey): string => `${key.tenantId}:${key.conversionId}`;
    const planned = new Set(revisits.map(textOf));
    const done = settled.filter((key) => !planned.has(textOf(key)));
    if (done.length > 0) {
      await tx.$executeRawUnsafe(
        `DELETE FROM revisits WHERE (owner, conversion) IN (SELECT r."tenantId", r."conversionId" FROM ${ROWS} AS r("tenantId" uuid, "conversionId" uuid))`,
        JSON.stringify(done),
      );
    }
    if (revisits.length === 0) return;
    await tx.$executeRawUnsafe(
      `INSERT INTO revisits (owner, conversion, why, due_at)
       SELECT r."tenantId", r."conversionId", r.why, to_timestamp(r."dueAtMs" / 1000) FROM ${ROWS} AS r("tenantId" uuid, "conversionId" uuid, why text, "dueAtMs" float8)
       ORDER BY 1, 2 ON CONFLICT (owner, conversion) DO UPDATE SET why = excluded.why, due_at = excluded.due_at`,
      JSON.stringify(revisits),
    );
  }

  planOfPrograms(tx: Tx, programs: readonly (ProgramKey & { readonly from: string })[], nowMs: number): Promise<number> {
    return tx.$executeRawUnsafe(
      `INSERT INTO revisits (owner, conversion, why, due_at)
       SELECT DISTINCT c.tenant_id, c.conversion_id, 'terms_arrived', to_timestamp($2::float8 / 1000)
       FROM ${ROWS} AS r("tenantId" uuid, "programId" uuid, "from" timestamptz)
         JOIN conversions c ON c.tenant_id = r."tenantId" AND c.program_id = r."programId" AND c.occurred_at >= r."from"
       ORDER BY 1, 2 ON CONFLICT (owner, conversion) DO UPDATE SET why = excluded.why, due_at = excluded.due_at`,
      JSON.stringify(programs),
      nowMs,
    );
  }

  due(tx: Tx, nowMs: number, limit: number): Promise<ConversionKey[]> {
    return tx.$queryRawUnsafe<ConversionKey[]>(
      `SELECT owner AS "tenantId", conversion AS "conversionId" FROM revisits WHERE due_at <= to_timestamp($1::float8 / 1000) ORDER BY due_at LIMIT $2`,
      nowMs,
      limit,
    );
  }

  async postpone(tx: Tx, { tenantId, conversionId }: ConversionKey, dueAtMs: number): Promise<void> {
    await tx.$executeRawUnsafe(
      `UPDATE revisits SET due_at = to_timestamp($3::float8 / 1000) WHERE owner = $1::uuid AND conversion = $2::uuid`,
      tenantId,
      conversionId,
      dueAtMs,
    );
  }

  async pulse(tx: Tx): Promise<{ awaitingTerms: number; overdueSeconds: number }> {
    const [row] = await tx.$queryRawUnsafe<{ awaitingTerms: number; overdueSeconds: number }[]>(
      `SELECT (SELECT count(*)::int FROM revisits WHERE why = 'awaits_terms') AS "awaitingTerms",
         coalesce(greatest(0, extract(epoch FROM now() - (SELECT min(due_at) FROM revisits))), 0)::float8 AS "overdueSeconds"`,
    );
    return row as { awaitingTerms: number; overdueSeconds: number };
  }
}
