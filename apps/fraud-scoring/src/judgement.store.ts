import type { AttributionRevisedData, ClickRecordedData, Decision, FraudReason } from '@baton/contracts';
import type { Tx } from '@baton/platform';
import { creditedClick } from './click.store';
import { BURST_WINDOW_MS } from './domain/facts';
import type { Judgement } from './domain/judge';

/** The newest revision of one conversion, and how it was judged last. */
export interface Judged {
  readonly attribution: AttributionRevisedData;
  readonly verdictSeq: number;
  /** Absent: this revision has not been judged yet. */
  readonly judgement: Judgement | null;
}

export interface JudgementStore {
  /** Stores revisions that are newer than what is known and holds their rows; gives those that are now the newest, judged or not. */
  record(tx: Tx, attributions: readonly AttributionRevisedData[]): Promise<Judged[]>;
  /** Holds and gives every conversion whose credited click has one of these clicks in its window. */
  touchedBy(tx: Tx, clicks: readonly ClickRecordedData[]): Promise<Judged[]>;
  save(tx: Tx, judged: readonly Judged[]): Promise<void>;
}

interface Row {
  readonly attribution: AttributionRevisedData;
  readonly verdict_seq: number;
  readonly decision: Decision | null;
  readonly score: number | null;
  readonly reasons: FraudReason[] | null;
}

const COLUMNS = 'j.attribution, j.verdict_seq, j.decision, j.score, j.reasons';

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
               attribution = excluded.attribution, address_hash = excluded.address_hash, network = excluded.network, clicked_at = excluded.clicked_at
           WHERE excluded.attribution_revision > j.attribution_revision
         RETURNING ${COLUMNS}`,
        JSON.stringify(rows),
      ),
    );
  }

  async touchedBy(tx: Tx, clicks: readonly ClickRecordedData[]): Promise<Judged[]> {
    return read(
      await tx.$queryRawUnsafe<Row[]>(
        `WITH clicked AS (SELECT * FROM jsonb_to_recordset($1::jsonb) AS r("tenantId" uuid, "addressHash" text, network text, "occurredAt" timestamptz)),
              touched AS (
                SELECT j.tenant_id, j.conversion_id FROM clicked c JOIN judgements j ON j.tenant_id = c."tenantId" AND j.address_hash = c."addressHash"
                  AND j.clicked_at >= c."occurredAt" AND j.clicked_at < c."occurredAt" + $2::float8 * interval '1 ms'
                UNION
                SELECT j.tenant_id, j.conversion_id FROM clicked c JOIN judgements j ON j.tenant_id = c."tenantId" AND j.network = c.network
                  AND j.clicked_at >= c."occurredAt" AND j.clicked_at < c."occurredAt" + $2::float8 * interval '1 ms')
         SELECT ${COLUMNS} FROM judgements j JOIN touched t ON t.tenant_id = j.tenant_id AND t.conversion_id = j.conversion_id
         ORDER BY j.tenant_id, j.conversion_id FOR UPDATE OF j`,
        JSON.stringify(clicks.map(({ tenantId, addressHash, network, occurredAt }) => ({ tenantId, addressHash, network, occurredAt }))),
        BURST_WINDOW_MS,
      ),
    );
  }

  async save(tx: Tx, judged: readonly Judged[]): Promise<void> {
    if (judged.length === 0) return;
    await tx.$executeRawUnsafe(
      `UPDATE judgements j SET verdict_seq = r.seq, decision = r.decision, score = r.score, reasons = r.reasons
       FROM jsonb_to_recordset($1::jsonb) AS r("tenantId" uuid, "conversionId" uuid, seq int, decision text, score int, reasons jsonb)
       WHERE j.tenant_id = r."tenantId" AND j.conversion_id = r."conversionId"`,
      JSON.stringify(
        judged.map(({ attribution: { tenantId, conversionId }, verdictSeq, judgement }) => ({
          tenantId,
          conversionId,
          seq: verdictSeq,
          ...judgement,
        })),
      ),
    );
  }
}

const read = (rows: readonly Row[]): Judged[] =>
  rows.map((row) => ({
    attribution: row.attribution,
    verdictSeq: row.verdict_seq,
    judgement: row.decision === null ? null : { decision: row.decision, score: row.score ?? 0, reasons: row.reasons ?? [] },
  }));
