import type { VerdictGivenData } from '@baton/contracts';
import type { Database } from '@baton/platform';

export interface Balance {
  readonly account: string;
  readonly currency: string;
  readonly amount_minor: number;
}

export interface RewardRow {
  readonly id: string;
  readonly sequence: number;
  readonly state: string;
  readonly reason: string;
  readonly amount_minor: number;
  readonly currency: string;
  readonly beneficiary: string;
  readonly partner_id: string;
  readonly program_id: string;
  readonly plan_id: string;
  readonly plan_version: number;
  readonly click_id: string | null;
  readonly conversion_id: string;
  readonly external_id: string;
  readonly attribution_revision: number;
  readonly verdict_seq: number;
  readonly hold_until: string;
  readonly changed_at: string;
}

export interface PostingRow {
  readonly sequence: number;
  readonly reason: string;
  readonly posted_at: string;
  readonly attribution_revision: number;
  readonly verdict_seq: number;
  readonly entries: readonly Balance[];
}

export interface RewardFilter {
  readonly conversionId?: string | undefined;
  readonly externalId?: string | undefined;
  readonly partnerId?: string | undefined;
  /** The id of the last reward of the page before. */
  readonly after?: string | undefined;
  readonly limit: number;
}

export interface TracedReward {
  readonly reward: RewardRow;
  readonly postings: readonly PostingRow[];
  /** The newest of its conversion. */
  readonly verdict: VerdictGivenData;
}

/** What the HTTP side reads, as one tenant. */
export interface ReadingStore {
  balances(tenantId: string, partnerId?: string): Promise<Balance[]>;
  rewards(tenantId: string, filter: RewardFilter): Promise<RewardRow[]>;
  /** Null where this tenant has no such reward. */
  trace(tenantId: string, rewardId: string): Promise<TracedReward | null>;
}

const instant = (column: string): string => `to_char(${column} AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')`;
const REWARD = `r.reward_id AS id, r.sequence, r.state, r.reason, r.amount_minor::float8 AS amount_minor, r.currency, r.beneficiary, r.partner_id, r.program_id, r.plan_id,
  r.plan_version, r.click_id, r.conversion_id, c.external_id, r.attribution_revision, r.verdict_seq, ${instant('r.hold_until')} AS hold_until, ${instant('r.changed_at')} AS changed_at
  FROM rewards r JOIN conversions c ON c.tenant_id = r.tenant_id AND c.conversion_id = r.conversion_id`;

export class PostgresReadingStore implements ReadingStore {
  constructor(private readonly database: Database) {}

  balances(tenantId: string, partnerId?: string): Promise<Balance[]> {
    return this.database.transaction([tenantId], (tx) =>
      tx.$queryRawUnsafe<Balance[]>(
        `SELECT account, currency, amount_minor::float8 AS amount_minor FROM balances
         WHERE tenant_id = $1::uuid AND ($2::text IS NULL OR account LIKE 'partner:' || $2 || ':%') ORDER BY account COLLATE "C", currency COLLATE "C"`,
        tenantId,
        partnerId ?? null,
      ),
    );
  }

  rewards(tenantId: string, { conversionId, externalId, partnerId, after, limit }: RewardFilter): Promise<RewardRow[]> {
    return this.database.transaction([tenantId], (tx) =>
      tx.$queryRawUnsafe<RewardRow[]>(
        `SELECT ${REWARD}
         WHERE r.tenant_id = $1::uuid AND ($2::uuid IS NULL OR r.conversion_id = $2::uuid) AND ($3::text IS NULL OR c.external_id = $3) AND ($4::uuid IS NULL OR r.partner_id = $4::uuid)
           AND ($5::uuid IS NULL OR r.reward_id > $5::uuid)
         ORDER BY r.reward_id LIMIT $6::int`,
        tenantId,
        conversionId ?? null,
        externalId ?? null,
        partnerId ?? null,
        after ?? null,
        limit,
      ),
    );
  }

  trace(tenantId: string, rewardId: string): Promise<TracedReward | null> {
    return this.database.transaction([tenantId], async (tx) => {
      const [row] = await tx.$queryRawUnsafe<(RewardRow & { verdict: VerdictGivenData })[]>(
        `SELECT c.verdict, ${REWARD} WHERE r.tenant_id = $1::uuid AND r.reward_id = $2::uuid`,
        tenantId,
        rewardId,
      );
      if (!row) return null;
      const { verdict, ...reward } = row;
      const postings = await tx.$queryRawUnsafe<PostingRow[]>(
        `SELECT p.sequence, p.reason, ${instant('p.posted_at')} AS posted_at, p.attribution_revision, p.verdict_seq,
           jsonb_agg(jsonb_build_object('account', e.account, 'currency', e.currency, 'amount_minor', e.amount_minor) ORDER BY e.account, e.currency) AS entries
         FROM postings p JOIN entries e USING (tenant_id, reward_id, sequence) WHERE p.tenant_id = $1::uuid AND p.reward_id = $2::uuid
         GROUP BY p.tenant_id, p.reward_id, p.sequence ORDER BY p.sequence`,
        tenantId,
        rewardId,
      );
      return { reward, postings, verdict };
    });
  }
}
