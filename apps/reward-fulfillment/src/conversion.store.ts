import type { VerdictGivenData } from '@baton/contracts';
import { allVersions, plansOfPrograms, type Tx } from '@baton/platform';
import { programOf } from './domain/settle';
import type { Terms } from './domain/terms';

export interface ConversionKey {
  readonly tenantId: string;
  readonly conversionId: string;
}
export interface ProgramKey {
  readonly tenantId: string;
  readonly programId: string;
}
export const keyOf = (key: ProgramKey): string => `${key.tenantId}:${key.programId}`;

/** Conversions as last judged, and the terms that apply to them. */
export interface ConversionStore {
  /**
   * Shares the gates of these programs until the transaction ends: their terms stand still. Taken before any conversion is locked, by
   * everybody, so that nobody waits in a circle.
   */
  shareGates(tx: Tx, programs: readonly ProgramKey[]): Promise<void>;
  /** Closes the gates: whoever settled before has committed, whoever settles later reads what this transaction wrote. */
  closeGates(tx: Tx, programs: readonly ProgramKey[]): Promise<void>;
  /** Stores and locks; gives those that were newer than what was known. One verdict a conversion. */
  record(tx: Tx, verdicts: readonly VerdictGivenData[]): Promise<VerdictGivenData[]>;
  programsOf(tx: Tx, conversions: readonly ConversionKey[]): Promise<ProgramKey[]>;
  /** Locks what nobody else has locked, and gives its newest verdicts. */
  lockFree(tx: Tx, conversions: readonly ConversionKey[]): Promise<VerdictGivenData[]>;
  /** By `tenant:program`. */
  terms(tx: Tx, programs: readonly ProgramKey[]): Promise<Map<string, Terms>>;
}

export class PostgresConversionStore implements ConversionStore {
  shareGates(tx: Tx, programs: readonly ProgramKey[]): Promise<void> {
    return lockGates(tx, programs, 'pg_advisory_xact_lock_shared');
  }

  closeGates(tx: Tx, programs: readonly ProgramKey[]): Promise<void> {
    return lockGates(tx, programs, 'pg_advisory_xact_lock');
  }

  async record(tx: Tx, verdicts: readonly VerdictGivenData[]): Promise<VerdictGivenData[]> {
    const rows = verdicts.map((verdict) => ({
      tenant_id: verdict.tenantId,
      conversion_id: verdict.conversionId,
      attribution_revision: verdict.attributionRevision,
      verdict_seq: verdict.verdictSeq,
      program_id: programOf(verdict),
      external_id: verdict.attribution.conversion.externalId,
      occurred_at: verdict.attribution.conversion.occurredAt,
      verdict,
    }));
    const newer = await tx.$queryRawUnsafe<{ key: string }[]>(
      `INSERT INTO conversions (tenant_id, conversion_id, attribution_revision, verdict_seq, program_id, external_id, occurred_at, verdict)
       SELECT r.* FROM jsonb_to_recordset($1::jsonb)
         AS r(tenant_id uuid, conversion_id uuid, attribution_revision int, verdict_seq int, program_id uuid, external_id text, occurred_at timestamptz, verdict jsonb)
       ORDER BY r.tenant_id, r.conversion_id
       ON CONFLICT (tenant_id, conversion_id) DO UPDATE SET attribution_revision = excluded.attribution_revision, verdict_seq = excluded.verdict_seq,
         program_id = excluded.program_id, external_id = excluded.external_id, occurred_at = excluded.occurred_at, verdict = excluded.verdict
       WHERE (excluded.attribution_revision, excluded.verdict_seq) > (conversions.attribution_revision, conversions.verdict_seq)
       RETURNING tenant_id || ':' || conversion_id AS key`,
      JSON.stringify(rows),
    );
    const keys = new Set(newer.map((row) => row.key));
    return verdicts.filter((verdict) => keys.has(`${verdict.tenantId}:${verdict.conversionId}`));
  }

  async programsOf(tx: Tx, conversions: readonly ConversionKey[]): Promise<ProgramKey[]> {
    return tx.$queryRawUnsafe<ProgramKey[]>(
      `SELECT DISTINCT c.tenant_id AS "tenantId", c.program_id AS "programId"
       FROM jsonb_to_recordset($1::jsonb) AS r("tenantId" uuid, "conversionId" uuid) JOIN conversions c ON c.tenant_id = r."tenantId" AND c.conversion_id = r."conversionId"
       WHERE c.program_id IS NOT NULL`,
      JSON.stringify(conversions),
    );
  }

  async lockFree(tx: Tx, conversions: readonly ConversionKey[]): Promise<VerdictGivenData[]> {
    const rows = await tx.$queryRawUnsafe<{ verdict: VerdictGivenData }[]>(
      `SELECT c.verdict FROM conversions c
       WHERE (c.tenant_id, c.conversion_id) IN (SELECT r."tenantId", r."conversionId" FROM jsonb_to_recordset($1::jsonb) AS r("tenantId" uuid, "conversionId" uuid))
       ORDER BY c.tenant_id, c.conversion_id FOR UPDATE SKIP LOCKED`,
      JSON.stringify(conversions),
    );
    return rows.map((row) => row.verdict);
  }

  async terms(tx: Tx, programs: readonly ProgramKey[]): Promise<Map<string, Terms>> {
    const wanted = [
      ...new Map(programs.map((program) => [keyOf(program), { tenantId: program.tenantId, id: program.programId }])).values(),
    ];
    const versions = await allVersions(tx, 'program', wanted);
    const plans = await plansOfPrograms(tx, wanted);
    return new Map(
      wanted.map(({ tenantId, id }) => [
        keyOf({ tenantId, programId: id }),
        {
          programs: versions.filter((v) => v.tenantId === tenantId && v.id === id),
          plans: plans.filter((p) => p.tenantId === tenantId && p.programId === id),
        },
      ]),
    );
  }
}

/**
 * A gate is an advisory lock of the transaction, one of a few for all programs: a row lock would not do, since whoever shares a row passes
 * those who wait to have it alone, and under load new terms would wait for ever. The few are taken in their order.
 */
async function lockGates(
  tx: Tx,
  programs: readonly ProgramKey[],
  lock: 'pg_advisory_xact_lock_shared' | 'pg_advisory_xact_lock',
): Promise<void> {
  const gates = [...new Set(programs.map((program) => Number.parseInt(program.programId.slice(0, 8), 16) % GATES))].sort((a, b) => a - b);
  if (gates.length > 0) await tx.$executeRawUnsafe(`SELECT ${lock}($1::int, gate) FROM unnest($2::int[]) AS gate`, GATE_CLASS, gates);
}

const GATES = 64;
/** Keeps our advisory locks apart from others in this database: "term" in ASCII. */
const GATE_CLASS = 0x7465726d;
