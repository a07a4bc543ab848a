import type { AttributionRevisedData, RewardChangedData, VerdictGivenData } from '@baton/contracts';
import type { Tx } from '@baton/platform';
import { keptAttribution, type KeptAttribution, keptReward, type KeptReward, keptVerdict, type KeptVerdict, type Tidings } from './domain';

/** What became of conversions, as other services tell it. Newest wins, so repeats and any order end the same. */
export interface ProgressStore {
  attributed(tx: Tx, attributions: readonly AttributionRevisedData[]): Promise<void>;
  judged(tx: Tx, verdicts: readonly VerdictGivenData[]): Promise<void>;
  rewarded(tx: Tx, rewards: readonly RewardChangedData[]): Promise<void>;
  /** Of the transaction's one tenant, by conversion id; a conversion nothing was told of is absent. */
  of(tx: Tx, conversionIds: readonly string[]): Promise<ReadonlyMap<string, Tidings>>;
}

export const progressStore: ProgressStore = {
  async attributed(tx, attributions) {
    const newest = newestOf(
      attributions,
      ({ conversionId }) => conversionId,
      (a, b) => a.revision - b.revision,
    );
    await upsert(
      tx,
      `INSERT INTO progress AS p (tenant_id, conversion_id, attribution_revision, attribution)
       SELECT r."tenantId", r."conversionId", r.revision, r.kept
       FROM jsonb_to_recordset($1::jsonb) AS r("tenantId" uuid, "conversionId" uuid, revision int, kept jsonb) ORDER BY r."tenantId", r."conversionId"
       ON CONFLICT (tenant_id, conversion_id) DO UPDATE SET attribution_revision = excluded.attribution_revision, attribution = excluded.attribution
         WHERE excluded.attribution_revision > p.attribution_revision`,
      newest.map((data) => ({ ...idsOf(data), revision: data.revision, kept: keptAttribution(data) })),
    );
  },

  async judged(tx, verdicts) {
    const newest = newestOf(
      verdicts,
      ({ conversionId }) => conversionId,
      (a, b) => a.attributionRevision - b.attributionRevision || a.verdictSeq - b.verdictSeq,
    );
    await upsert(
      tx,
      `INSERT INTO progress AS p (tenant_id, conversion_id, verdict_revision, verdict_seq, verdict)
       SELECT r."tenantId", r."conversionId", r.revision, r.seq, r.kept
       FROM jsonb_to_recordset($1::jsonb) AS r("tenantId" uuid, "conversionId" uuid, revision int, seq int, kept jsonb) ORDER BY r."tenantId", r."conversionId"
       ON CONFLICT (tenant_id, conversion_id) DO UPDATE SET verdict_revision = excluded.verdict_revision, verdict_seq = excluded.verdict_seq, verdict = excluded.verdict
         WHERE (excluded.verdict_revision, excluded.verdict_seq) > (p.verdict_revision, p.verdict_seq)`,
      newest.map((data) => ({ ...idsOf(data), revision: data.attributionRevision, seq: data.verdictSeq, kept: keptVerdict(data) })),
    );
  },

  async rewarded(tx, rewards) {
    const newest = newestOf(
      rewards,
      ({ conversionId, rewardId }) => `${conversionId} ${rewardId}`,
      (a, b) => a.sequence - b.sequence,
    );
    await upsert(
      tx,
      `INSERT INTO reward_states AS s (tenant_id, conversion_id, reward_id, sequence, data)
       SELECT r."tenantId", r."conversionId", r."rewardId", r.sequence, r.kept
       FROM jsonb_to_recordset($1::jsonb) AS r("tenantId" uuid, "conversionId" uuid, "rewardId" uuid, sequence int, kept jsonb) ORDER BY 1, 2, 3
       ON CONFLICT (tenant_id, conversion_id, reward_id) DO UPDATE SET sequence = excluded.sequence, data = excluded.data
         WHERE excluded.sequence > s.sequence`,
      newest.map((data) => ({ ...idsOf(data), rewardId: data.rewardId, sequence: data.sequence, kept: keptReward(data) })),
    );
  },

  async of(tx, conversionIds) {
    if (conversionIds.length === 0) return new Map();
    const rows = await tx.$queryRawUnsafe<Row[]>(
      `SELECT w.id, p.attribution, p.verdict,
         coalesce((SELECT jsonb_agg(s.data) FROM reward_states s WHERE s.tenant_id = current_setting('app.tenant')::uuid AND s.conversion_id = w.id), '[]') AS rewards
       FROM unnest($1::uuid[]) AS w(id) LEFT JOIN progress p ON p.tenant_id = current_setting('app.tenant')::uuid AND p.conversion_id = w.id`,
      conversionIds,
    );
    return new Map(rows.map(({ id, ...tidings }) => [id, tidings]));
  },
};

interface Row extends Tidings {
  readonly id: string;
  readonly attribution: KeptAttribution | null;
  readonly verdict: KeptVerdict | null;
  readonly rewards: readonly KeptReward[];
}

const idsOf = ({ tenantId, conversionId }: { tenantId: string; conversionId: string }) => ({ tenantId, conversionId });

const upsert = async (tx: Tx, sql: string, rows: readonly object[]): Promise<void> => {
  if (rows.length > 0) await tx.$executeRawUnsafe(sql, JSON.stringify(rows));
};

/** One of each key: a statement may not meet a row twice. */
function newestOf<T extends { readonly tenantId: string }>(
  all: readonly T[],
  keyOf: (one: T) => string,
  order: (a: T, b: T) => number,
): T[] {
  const newest = new Map<string, T>();
  for (const one of all) {
    const key = `${one.tenantId} ${keyOf(one)}`;
    const known = newest.get(key);
    if (!known || order(one, known) > 0) newest.set(key, one);
  }
  return [...newest.values()];
}
