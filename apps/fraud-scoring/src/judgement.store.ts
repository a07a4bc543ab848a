import type { AttributionRevisedData, ClickRecordedData, Decision, FraudReason } from '@baton/contracts';
import type { Tx } from '@baton/platform';
import { creditedClick } from './click.store';
import { type ClickCounts, COUNT_MAX } from './domain/facts';
import type { Judgement } from './domain/judge';
import { spansOf } from './domain/spans';

/** The newest revision of one conversion, and how it was judged last. */
export interface Judged {
  readonly attribution: AttributionRevisedData;
  readonly verdictSeq: number;
  /** Absent: this revision has not been judged yet. */
  readonly judgement: Judgement | null;
  /** What was counted last for the click that is credited now; zeros where that click is new. */
  readonly counts: ClickCounts;
}

export interface JudgementStore {
  /** Stores revisions that are newer than what is known and holds their rows; gives those that are now the newest, judged or not. */
  record(tx: Tx, attributions: readonly AttributionRevisedData[]): Promise<Judged[]>;
  /** Holds and gives every conversion whose credited click has one of these clicks in its window, save where the count is at its most already. */
  touchedBy(tx: Tx, clicks: readonly ClickRecordedData[]): Promise<Judged[]>;
  save(tx: Tx, judged: readonly Judged[]): Promise<void>;
}

interface Row {
  readonly attribution: AttributionRevisedData;
  readonly verdict_seq: number;
  readonly decision: Decision | null;
  readonly score: number | null;
  readonly reasons: FraudReason[] | null;
  readonly same_address: number;
  readonly same_network: number;
}

const COLUMNS = 'j.attribution, j.verdict_seq, j.decision, j.score, j.reasons, j.same_address, j.same_network';
const SAME_CLICK =
  '(j.address_hash, j.network, j.clicked_at) IS NOT DISTINCT FROM (excluded.address_hash, excluded.network, excluded.clicked_at)';

export class PostgresJudgementStore implements JudgementStore {
  async record(tx: Tx, attributions: readonly AttributionRevisedData[]): Promise<Judged[]> {
    const rows = attributions.map((attribution) => ({
      ...creditedClick(attribution),
      conversionId: attribution.conversionId,
      revision: attribution.revision,
      attribution,
    }));
    return read(
      await tx.$queryRawUnsafe<Row[]>(
        `INSERT INTO judgements AS j (tenant_id, conversion_id, attribution_revision, verdict_seq, attribution, address_hash, network, clicked_at)
         SELECT r."tenantId", r."conversionId", r.revision, 0, r.attribution, r."addressHash", r.network, r."clickedAt"
         FROM jsonb_to_recordset($1::jsonb) AS r("tenantId" uuid, "conversionId" uuid, revision int, attribution jsonb, "addressHash" text, network text, "clickedAt" timestamptz)
         ORDER BY r."tenantId", r."conversionId"
         ON CONFLICT (tenant_id, conversion_id) DO UPDATE
           SET attribution_revision = excluded.attribution_revision, verdict_seq = 0, decision = NULL, score = NULL, reasons = NULL,
               attribution = excluded.attribution, address_hash = excluded.address_hash, network = excluded.network, clicked_at = excluded.clicked_at,
               same_address = CASE WHEN ${SAME_CLICK} THEN j.same_address ELSE 0 END, same_network = CASE WHEN ${SAME_CLICK} THEN j.same_network ELSE 0 END
           WHERE excluded.attribution_revision > j.attribution_revision
         RETURNING ${COLUMNS}`,
        JSON.stringify(rows),
      ),
    );
  }

  async touchedBy(tx: Tx, clicks: readonly ClickRecordedData[]): Promise<Judged[]> {
    if (clicks.length === 0) return [];
    return read(
      await tx.$queryRawUnsafe<Row[]>(
        // Row by row in their order, each by its key: a join, to a planner without statistics, may read all judgements of the tenants.
        `SELECT ${COLUMNS} FROM (
           SELECT t.tenant_id, t.conversion_id
           FROM (SELECT s."tenantId", s."addressHash", s.network, to_timestamp(s."fromMs" / 1000.0) AS from_at, to_timestamp(s."toMs" / 1000.0) AS to_at
             FROM jsonb_to_recordset($1::jsonb) AS s("tenantId" uuid, "addressHash" text, network text, "fromMs" bigint, "toMs" bigint)) c
           CROSS JOIN LATERAL (
             (SELECT j.tenant_id, j.conversion_id FROM judgements j WHERE j.tenant_id = c."tenantId" AND j.address_hash = c."addressHash"
                AND j.same_address < ${COUNT_MAX} AND j.clicked_at >= c.from_at AND j.clicked_at < c.to_at OFFSET 0)
             UNION ALL
             (SELECT j.tenant_id, j.conversion_id FROM judgements j WHERE j.tenant_id = c."tenantId" AND j.network = c.network
                AND j.same_network < ${COUNT_MAX} AND j.clicked_at >= c.from_at AND j.clicked_at < c.to_at OFFSET 0)) t
           GROUP BY 1, 2 ORDER BY 1, 2) t
         CROSS JOIN LATERAL (SELECT * FROM judgements j WHERE j.tenant_id = t.tenant_id AND j.conversion_id = t.conversion_id FOR UPDATE) j`,
        JSON.stringify(spansOf(clicks)),
      ),
    );
  }

  async save(tx: Tx, judged: readonly Judged[]): Promise<void> {
    if (judged.length === 0) return;
    await tx.$executeRawUnsafe(
      `UPDATE judgements j SET verdict_seq = r.seq, decision = r.decision, score = r.score, reasons = r.reasons, same_address = r."sameAddress", same_network = r."sameNetwork"
       FROM jsonb_to_recordset($1::jsonb) AS r("tenantId" uuid, "conversionId" uuid, seq int, decision text, score int, reasons jsonb, "sameAddress" int, "sameNetwork" int)
       WHERE j.tenant_id = r."tenantId" AND j.conversion_id = r."conversionId" AND j.conversion_id = ANY ($2::uuid[])`,
      JSON.stringify(
        judged.map(({ attribution: { tenantId, conversionId }, verdictSeq, judgement, counts }) => ({
          tenantId,
          conversionId,
          seq: verdictSeq,
          ...judgement,
          ...counts,
        })),
      ),
      judged.map(({ attribution }) => attribution.conversionId),
    );
  }
}

const read = (rows: readonly Row[]): Judged[] =>
  rows.map((row) => ({
    attribution: row.attribution,
    verdictSeq: row.verdict_seq,
    judgement: row.decision === null ? null : { decision: row.decision, score: row.score ?? 0, reasons: row.reasons ?? [] },
    counts: { sameAddress: row.same_address, sameNetwork: row.same_network },
  }));
