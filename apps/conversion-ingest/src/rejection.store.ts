import type { Tx } from '@baton/platform';
import { type Problem, problemBody } from '@baton/platform';
import type { Answer } from './domain';

/** A request of a known caller that was refused. */
export interface Rejection {
  readonly tenantId: string;
  readonly receiptId: string;
  readonly kind: string;
  readonly door: string;
  readonly externalId: string | null;
  readonly receivedAtMs: number;
  readonly problem: Problem;
}

/** Refusals, kept for 30 days so that their senders can look them up. Every call belongs to a transaction of the one tenant. */
export interface RejectionStore {
  insert(tx: Tx, rejections: readonly Rejection[]): Promise<void>;
  receipt(tx: Tx, receiptId: string): Promise<Answer | null>;
  receiptsOf(tx: Tx, externalId: string): Promise<Answer[]>;
  /** Forgets the old ones of every tenant, a bounded number; gives how many went. */
  forget(tx: Tx): Promise<number>;
}

const RECEIPTS_MAX = 50;
const OWN = `tenant_id = current_setting('app.tenant')::uuid`;

export const rejectionStore: RejectionStore = {
  async insert(tx, rejections) {
    if (rejections.length === 0) return;
    const rows = rejections.map((rejection) => ({
      ...rejection,
      problem: undefined,
      answer: JSON.stringify(answerOf(rejection)),
      receivedAt: new Date(rejection.receivedAtMs).toISOString(),
    }));
    await tx.$executeRawUnsafe(
      `INSERT INTO rejections (tenant_id, receipt_id, kind, door, external_id, answer, received_at)
       SELECT r."tenantId", r."receiptId", r.kind, r.door, r."externalId", r.answer::json, r."receivedAt"
       FROM jsonb_to_recordset($1::jsonb) AS r("tenantId" uuid, "receiptId" uuid, kind text, door text, "externalId" text, answer text, "receivedAt" timestamptz)
       ORDER BY r."receiptId" ON CONFLICT DO NOTHING`,
      JSON.stringify(rows),
    );
  },

  async receipt(tx, receiptId) {
    const [row] = await tx.$queryRawUnsafe<{ answer: string }[]>(
      `SELECT answer::text AS answer FROM rejections WHERE ${OWN} AND receipt_id = $1::uuid`,
      receiptId,
    );
    return row ? (JSON.parse(row.answer) as Answer) : null;
  },

  async receiptsOf(tx, externalId) {
    const rows = await tx.$queryRawUnsafe<{ answer: string }[]>(
      `SELECT answer::text AS answer FROM rejections WHERE ${OWN} AND external_id = $1 ORDER BY received_at DESC, receipt_id LIMIT ${RECEIPTS_MAX}`,
      externalId,
    );
    return rows.map((row) => JSON.parse(row.answer) as Answer);
  },

  async forget(tx) {
    const [row] = await tx.$queryRawUnsafe<{ gone: number }[]>('SELECT baton_forget_rejections() AS gone');
    return row?.gone ?? 0;
  },
};

const answerOf = ({ receiptId, kind, externalId, receivedAtMs, problem }: Rejection): Answer => ({
  receipt_id: receiptId,
  verdict: 'rejected',
  reason: problem.code,
  kind,
  external_id: externalId,
  received_at: new Date(receivedAtMs).toISOString(),
  problem: problemBody(problem),
});
