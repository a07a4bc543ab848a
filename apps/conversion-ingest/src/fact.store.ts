import type { Outgoing } from '@baton/contracts';
import { linksByNumber, outboxRow, programStates, type Tx } from '@baton/platform';
import type { Answer, Claim, Known, PlainClaim } from './domain';
import { referrersOf } from './referrers';
import { capOf } from './selection.store';

/** A fact about to be stored, with the answer that becomes its receipt. */
export interface NewFact {
  readonly claim: Claim;
  readonly answer: Answer;
  /** The event's data. */
  readonly data: object;
  /** What tells others of it. */
  readonly event?: Outgoing;
  readonly traceparent?: string;
  /** The request that made it beside others. */
  readonly requestId?: string;
}

/** What a repeat is judged against. */
export interface StoredFact {
  readonly factId: string;
  readonly receiptId: string;
  readonly bodyHash: string;
  readonly door: string;
  /** Null: stored before there were doors. */
  readonly coreHash: string | null;
  readonly answer: Answer;
}

/** The caller's own key for a request, and the request's body. */
export interface KeyedBody {
  readonly key: string;
  readonly bodyHash: string;
}

/** Accepted facts and their receipts. Every call belongs to a transaction of the one tenant. */
export interface FactStore {
  /** What the claims need to be judged: programs, links inside click ids, who referred whom, currencies of reversed conversions. */
  known(tx: Tx, tenantId: string, claims: readonly PlainClaim[]): Promise<Known>;
  /** Stores those whose id is new, and their events in the outbox; gives the ids that were. No id may come twice. Throws `InvalidEvent`. */
  insert(tx: Tx, facts: readonly NewFact[]): Promise<ReadonlySet<string>>;
  ofIds(tx: Tx, factIds: readonly string[]): Promise<StoredFact[]>;
  /** Which body each of the caller's keys stands for: what was stored first wins. Stores those that are new. */
  bodiesOfKeys(tx: Tx, tenantId: string, keyed: readonly KeyedBody[]): Promise<ReadonlyMap<string, string>>;
  receipt(tx: Tx, receiptId: string): Promise<Answer | null>;
  /** The receipts of the reversals that a request made, oldest first, at most so many. */
  receiptsOfRequest(tx: Tx, requestId: string, max: number): Promise<Answer[]>;
  /** The conversion of this id and its reversals, oldest first. */
  receiptsOf(tx: Tx, externalId: string): Promise<Answer[]>;
}

/** Enough of one order's receipts for a person to look at. */
const RECEIPTS_MAX = 200;

export const factStore: FactStore = {
  async known(tx, tenantId, claims) {
    const conversions = claims.filter((claim) => claim.kind === 'conversion');
    const numbers = [...new Set(conversions.flatMap(({ linkNumber }) => (linkNumber === null ? [] : [linkNumber])))];
    const codes = [...new Set(conversions.flatMap(({ data }) => data.referralCode ?? []))];
    const reversed = claims.flatMap((claim) => (claim.kind === 'reversal' ? [claim] : []));
    const isCapped = reversed.some(({ confirmed }) => !confirmed);
    // Asked for together: one round trip.
    const [programs, links, referrers, currencyOf, cap, amountOf] = await Promise.all([
      conversions.length > 0 ? programStates(tx, tenantId) : [],
      linksByNumber(
        tx,
        numbers.map((number) => ({ tenantId, number })),
      ),
      referrersOf(tx, { numbers, codes }),
      currencies(tx, [...new Set(reversed.flatMap(({ data, conversionId }) => (data.currency ? [conversionId] : [])))]),
      isCapped ? capOf(tx, tenantId) : null,
      isCapped ? amounts(tx, [...new Set(reversed.map(({ conversionId }) => conversionId))]) : new Map<string, number>(),
    ]);
    return {
      ...referrers,
      partnerOfLink: new Map(links.map(({ number, partnerId }) => [number, partnerId])),
      programs,
      programOfLink: new Map(links.map(({ number, programId }) => [number, programId])),
      currencyOf,
      capMinor: cap?.minor ?? null,
      amountOf,
    };
  },

  async insert(tx, facts) {
    if (facts.length === 0) return new Set();
    const rows = facts.map(rowOf);
    const stored = await tx.$queryRawUnsafe<{ fact_id: string }[]>(
      // The events behind the rows that they tell of, so that their ids follow the locks.
      `WITH given AS (
         SELECT r.* FROM ROWS FROM (jsonb_to_recordset($1::jsonb) AS ("tenantId" uuid, "factId" uuid, kind text, "receiptId" uuid, "externalId" text, "bodyHash" uuid, "coreHash" uuid, door text, "orderId" text, "requestId" uuid, answer text, data jsonb, "receivedAt" timestamptz, topic text, key text, headers jsonb, value text))
           WITH ORDINALITY AS r("tenantId", "factId", kind, "receiptId", "externalId", "bodyHash", "coreHash", door, "orderId", "requestId", answer, data, "receivedAt", topic, key, headers, value, n)
       ), stored AS (
         INSERT INTO facts (tenant_id, fact_id, kind, receipt_id, external_id, body_hash, core_hash, door, order_id, request_id, answer, data, received_at)
         SELECT "tenantId", "factId", kind, "receiptId", "externalId", "bodyHash", "coreHash", door, "orderId", "requestId", answer::json, coalesce(data, value::jsonb), "receivedAt" FROM given ORDER BY "factId"
         ON CONFLICT (tenant_id, fact_id) DO NOTHING RETURNING fact_id
       ), told AS (
         INSERT INTO outbox (topic, key, headers, value)
         SELECT topic, key, headers, value FROM given JOIN stored ON stored.fact_id = given."factId" WHERE topic IS NOT NULL ORDER BY n
       ) SELECT fact_id FROM stored`,
      JSON.stringify(rows),
    );
    return new Set(stored.map((row) => row.fact_id));
  },

  async ofIds(tx, factIds) {
    if (factIds.length === 0) return [];
    const rows = await tx.$queryRawUnsafe<FactRow[]>(
      // The policy names the tenant; naming it again lets the primary key be used.
      `SELECT fact_id, receipt_id, body_hash, core_hash, door, answer::text AS answer FROM facts WHERE tenant_id = current_setting('app.tenant')::uuid AND fact_id = ANY ($1::uuid[])`,
      factIds,
    );
    return rows.map((row) => ({
      factId: row.fact_id,
      receiptId: row.receipt_id,
      bodyHash: row.body_hash,
      coreHash: row.core_hash,
      door: row.door,
      answer: JSON.parse(row.answer) as Answer,
    }));
  },

  async bodiesOfKeys(tx, tenantId, keyed) {
    if (keyed.length === 0) return new Map();
    // Of two bodies under one key in a group the first counts: a statement may not meet a row twice.
    const first = new Map([...keyed].reverse().map(({ key, bodyHash }) => [key, { tenantId, key, bodyHash }]));
    await tx.$executeRawUnsafe(
      `INSERT INTO idempotency_keys (tenant_id, key, body_hash)
       SELECT r."tenantId", r.key, r."bodyHash" FROM jsonb_to_recordset($1::jsonb) AS r("tenantId" uuid, key text, "bodyHash" uuid) ORDER BY r.key COLLATE "C"
       ON CONFLICT DO NOTHING`,
      JSON.stringify([...first.values()]),
    );
    const rows = await tx.$queryRawUnsafe<{ key: string; body_hash: string }[]>(
      `SELECT key, body_hash FROM idempotency_keys WHERE tenant_id = current_setting('app.tenant')::uuid AND key = ANY ($1::text[])`,
      [...first.keys()],
    );
    return new Map(rows.map((row) => [row.key, row.body_hash]));
  },

  async receipt(tx, receiptId) {
    const [row] = await tx.$queryRawUnsafe<{ answer: string }[]>(
      `SELECT answer::text AS answer FROM facts WHERE tenant_id = current_setting('app.tenant')::uuid AND receipt_id = $1::uuid`,
      receiptId,
    );
    return row ? (JSON.parse(row.answer) as Answer) : null;
  },

  async receiptsOfRequest(tx, requestId, max) {
    const rows = await tx.$queryRawUnsafe<{ answer: string }[]>(
      `SELECT answer::text AS answer FROM facts WHERE tenant_id = current_setting('app.tenant')::uuid AND request_id = $1::uuid ORDER BY received_at, fact_id LIMIT ${max}`,
      requestId,
    );
    return rows.map((row) => JSON.parse(row.answer) as Answer);
  },

  async receiptsOf(tx, externalId) {
    const rows = await tx.$queryRawUnsafe<{ answer: string }[]>(
      `SELECT answer::text AS answer FROM facts WHERE tenant_id = current_setting('app.tenant')::uuid AND external_id = $1 ORDER BY received_at, fact_id LIMIT ${RECEIPTS_MAX}`,
      externalId,
    );
    return rows.map((row) => JSON.parse(row.answer) as Answer);
  },
};

/** One shape for all, each field by its name: this is most of what a group costs. */
function rowOf({ claim, answer, data, requestId, event, traceparent }: NewFact): object {
  const told = event ? outboxRow(event, traceparent) : null;
  return {
    tenantId: claim.tenantId,
    factId: claim.factId,
    kind: claim.kind,
    receiptId: claim.receiptId,
    externalId: claim.externalId,
    bodyHash: claim.bodyHash,
    coreHash: claim.coreHash,
    door: claim.door,
    orderId: claim.orderId,
    requestId,
    // As text, since jsonb would reorder it on the way.
    answer: JSON.stringify(answer),
    // Sent once: nearly always it is what its event says.
    data: event?.data === data ? undefined : data,
    receivedAt: claim.receivedAt,
    topic: told?.topic,
    key: told?.key,
    headers: told?.headers,
    value: told?.value,
  };
}

interface FactRow {
  readonly fact_id: string;
  readonly receipt_id: string;
  readonly body_hash: string;
  readonly core_hash: string | null;
  readonly door: string;
  readonly answer: string;
}

async function currencies(tx: Tx, conversionIds: readonly string[]): Promise<Map<string, string>> {
  if (conversionIds.length === 0) return new Map();
  const rows = await tx.$queryRawUnsafe<{ fact_id: string; currency: string }[]>(
    `SELECT fact_id, data->>'currency' AS currency FROM facts WHERE tenant_id = current_setting('app.tenant')::uuid AND fact_id = ANY ($1::uuid[]) AND kind = 'conversion'`,
    conversionIds,
  );
  return new Map(rows.map((row) => [row.fact_id, row.currency]));
}

async function amounts(tx: Tx, conversionIds: readonly string[]): Promise<Map<string, number>> {
  if (conversionIds.length === 0) return new Map();
  const rows = await tx.$queryRawUnsafe<{ fact_id: string; amount: number }[]>(
    `SELECT fact_id, (data->>'amountMinor')::float8 AS amount FROM facts WHERE tenant_id = current_setting('app.tenant')::uuid AND fact_id = ANY ($1::uuid[]) AND kind = 'conversion'`,
    conversionIds,
  );
  return new Map(rows.map((row) => [row.fact_id, row.amount]));
}
