import { linksByNumber, programsOf, type Tx } from '@baton/platform';
import type { Answer, Claim, Known } from './domain';

/** A fact about to be stored, with the answer that becomes its receipt. */
export interface NewFact {
  readonly claim: Claim;
  readonly answer: Answer;
  /** The event's data. */
  readonly data: object;
}

/** What a repeat is judged against. */
export interface StoredFact {
  readonly factId: string;
  readonly receiptId: string;
  readonly bodyHash: string;
  readonly answer: Answer;
}

/** Accepted facts and their receipts. Every call belongs to a transaction of the one tenant. */
export interface FactStore {
  /** What the claims need to be judged: programs, links inside click ids, currencies of reversed conversions. */
  known(tx: Tx, tenantId: string, claims: readonly Claim[]): Promise<Known>;
  /** Stores those whose id is new; gives the ids that were. No id may come twice. */
  insert(tx: Tx, facts: readonly NewFact[]): Promise<ReadonlySet<string>>;
  ofIds(tx: Tx, factIds: readonly string[]): Promise<StoredFact[]>;
  receipt(tx: Tx, receiptId: string): Promise<Answer | null>;
  /** The conversion of this id and its reversals, oldest first. */
  receiptsOf(tx: Tx, externalId: string): Promise<Answer[]>;
}

/** Enough of one order's receipts for a person to look at. */
const RECEIPTS_MAX = 200;

export const factStore: FactStore = {
  async known(tx, tenantId, claims) {
    const conversions = claims.filter((claim) => claim.kind === 'conversion');
    const numbers = [...new Set(conversions.flatMap(({ linkNumber }) => (linkNumber === null ? [] : [linkNumber])))];
    const programs = conversions.length > 0 ? await programsOf(tx, tenantId) : [];
    const links = await linksByNumber(
      tx,
      numbers.map((number) => ({ tenantId, number })),
    );
    return {
      programs: programs.map(({ id, state }) => ({ id, state })),
      programOfLink: new Map(links.map(({ number, programId }) => [number, programId])),
      currencyOf: await currencies(tx, [
        ...new Set(claims.flatMap((claim) => (claim.kind === 'reversal' && claim.data.currency ? [claim.conversionId] : []))),
      ]),
    };
  },

  async insert(tx, facts) {
    if (facts.length === 0) return new Set();
    const rows = facts.map(({ claim, answer, data }) => ({
      tenantId: claim.tenantId,
      factId: claim.factId,
      kind: claim.kind,
      receiptId: claim.receiptId,
      externalId: claim.externalId,
      bodyHash: claim.bodyHash,
      // As text, since jsonb would reorder it on the way.
      answer: JSON.stringify(answer),
      data,
      receivedAt: claim.receivedAt,
    }));
    const stored = await tx.$queryRawUnsafe<{ fact_id: string }[]>(
      `INSERT INTO facts (tenant_id, fact_id, kind, receipt_id, external_id, body_hash, answer, data, received_at)
       SELECT r."tenantId", r."factId", r.kind, r."receiptId", r."externalId", r."bodyHash", r.answer::json, r.data, r."receivedAt"
       FROM jsonb_to_recordset($1::jsonb) AS r("tenantId" uuid, "factId" uuid, kind text, "receiptId" uuid, "externalId" text, "bodyHash" uuid, answer text, data jsonb, "receivedAt" timestamptz)
       ORDER BY r."factId"
       ON CONFLICT (tenant_id, fact_id) DO NOTHING RETURNING fact_id`,
      JSON.stringify(rows),
    );
    return new Set(stored.map((row) => row.fact_id));
  },

  async ofIds(tx, factIds) {
    if (factIds.length === 0) return [];
    const rows = await tx.$queryRawUnsafe<{ fact_id: string; receipt_id: string; body_hash: string; answer: string }[]>(
      // The policy names the tenant; naming it again lets the primary key be used.
      `SELECT fact_id, receipt_id, body_hash, answer::text AS answer FROM facts WHERE tenant_id = current_setting('app.tenant')::uuid AND fact_id = ANY ($1::uuid[])`,
      factIds,
    );
    return rows.map((row) => ({
      factId: row.fact_id,
      receiptId: row.receipt_id,
      bodyHash: row.body_hash,
      answer: JSON.parse(row.answer) as Answer,
    }));
  },

  async receipt(tx, receiptId) {
    const [row] = await tx.$queryRawUnsafe<{ answer: string }[]>(
      `SELECT answer::text AS answer FROM facts WHERE tenant_id = current_setting('app.tenant')::uuid AND receipt_id = $1::uuid`,
      receiptId,
    );
    return row ? (JSON.parse(row.answer) as Answer) : null;
  },

  async receiptsOf(tx, externalId) {
    const rows = await tx.$queryRawUnsafe<{ answer: string }[]>(
      `SELECT answer::text AS answer FROM facts WHERE tenant_id = current_setting('app.tenant')::uuid AND external_id = $1 ORDER BY received_at, fact_id LIMIT ${RECEIPTS_MAX}`,
      externalId,
    );
    return rows.map((row) => JSON.parse(row.answer) as Answer);
  },
};

async function currencies(tx: Tx, conversionIds: readonly string[]): Promise<Map<string, string>> {
  if (conversionIds.length === 0) return new Map();
  const rows = await tx.$queryRawUnsafe<{ fact_id: string; currency: string }[]>(
    `SELECT fact_id, data->>'currency' AS currency FROM facts WHERE tenant_id = current_setting('app.tenant')::uuid AND fact_id = ANY ($1::uuid[]) AND kind = 'conversion'`,
    conversionIds,
  );
  return new Map(rows.map((row) => [row.fact_id, row.currency]));
}
