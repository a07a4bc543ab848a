import type { Tx } from '@baton/platform';
import type { ConversionKey } from './conversion.store';
import type { Change, Holding, Reward } from './domain/reward';

export interface KnownReward extends Reward, ConversionKey {}
export interface Booked extends ConversionKey {
  readonly change: Change;
}

/** Rewards, postings, entries and balances. The conversion's lock is held by whoever calls. */
export interface LedgerStore {
  rewardsOf(tx: Tx, conversions: readonly ConversionKey[]): Promise<KnownReward[]>;
  /** The fold of the entries of these conversions' rewards in their partners' accounts. */
  holdingsOf(tx: Tx, conversions: readonly ConversionKey[]): Promise<(Holding & ConversionKey)[]>;
  /** One posting a change that moves money; balances follow in the same transaction, locked in the order of their accounts. */
  book(tx: Tx, booked: readonly Booked[], nowMs: number): Promise<void>;
}

const ASKED = `jsonb_to_recordset($1::jsonb) AS q("tenantId" uuid, "conversionId" uuid)`;

export class PostgresLedgerStore implements LedgerStore {
  rewardsOf(tx: Tx, conversions: readonly ConversionKey[]): Promise<KnownReward[]> {
    return tx.$queryRawUnsafe<KnownReward[]>(
      `SELECT r.tenant_id AS "tenantId", r.conversion_id AS "conversionId", r.reward_id AS "rewardId", r.sequence, r.program_id AS "programId", r.partner_id AS "partnerId",
         r.plan_id AS "planId", r.plan_version AS "planVersion", r.beneficiary, r.state, r.amount_minor::float8 AS "amountMinor", r.currency,
         (extract(epoch FROM r.hold_until) * 1000)::float8 AS "holdUntilMs", r.click_id AS "clickId", r.attribution_revision AS "attributionRevision", r.verdict_seq AS "verdictSeq"
       FROM ${ASKED} JOIN rewards r ON r.tenant_id = q."tenantId" AND r.conversion_id = q."conversionId"`,
      JSON.stringify(conversions),
    );
  }

  holdingsOf(tx: Tx, conversions: readonly ConversionKey[]): Promise<(Holding & ConversionKey)[]> {
    return tx.$queryRawUnsafe<(Holding & ConversionKey)[]>(
      `SELECT r.tenant_id AS "tenantId", r.conversion_id AS "conversionId", e.reward_id AS "rewardId", split_part(e.account, ':', 3) AS bucket, e.currency,
         sum(e.amount_minor)::float8 AS "amountMinor"
       FROM ${ASKED} JOIN rewards r ON r.tenant_id = q."tenantId" AND r.conversion_id = q."conversionId"
         JOIN entries e ON e.tenant_id = r.tenant_id AND e.reward_id = r.reward_id
       WHERE e.account LIKE 'partner:%' GROUP BY 1, 2, 3, 4, 5 HAVING sum(e.amount_minor) <> 0`,
      JSON.stringify(conversions),
    );
  }

  async book(tx: Tx, booked: readonly Booked[], nowMs: number): Promise<void> {
    if (booked.length === 0) return;
    const at = new Date(nowMs).toISOString();
    const rows = booked.map((b) => ({
      tenant_id: b.tenantId,
      conversion_id: b.conversionId,
      ...snake(b.change.reward),
      reason: b.change.reason,
      at,
    }));
    await tx.$executeRawUnsafe(SAVE_REWARDS, JSON.stringify(rows));
    const moved = booked.filter((b) => b.change.entries.length > 0);
    if (moved.length === 0) return;
    const ids = new Set(moved.map((b) => b.change.reward.rewardId));
    await tx.$executeRawUnsafe(SAVE_POSTINGS, JSON.stringify(rows.filter((row) => ids.has(row.reward_id))));
    const entries = JSON.stringify(
      moved.flatMap(({ tenantId, change }) =>
        change.entries.map((entry) => ({
          tenant_id: tenantId,
          reward_id: change.reward.rewardId,
          sequence: change.reward.sequence,
          account: entry.account,
          currency: entry.currency,
          amount_minor: entry.amountMinor,
        })),
      ),
    );
    await tx.$executeRawUnsafe(SAVE_ENTRIES, entries);
    await tx.$executeRawUnsafe(FOLD_BALANCES, entries);
  }
}

const snake = (reward: Reward) => ({
  reward_id: reward.rewardId,
  sequence: reward.sequence,
  program_id: reward.programId,
  partner_id: reward.partnerId,
  plan_id: reward.planId,
  plan_version: reward.planVersion,
  beneficiary: reward.beneficiary,
  state: reward.state,
  amount_minor: reward.amountMinor,
  currency: reward.currency,
  hold_until: new Date(reward.holdUntilMs).toISOString(),
  click_id: reward.clickId,
  attribution_revision: reward.attributionRevision,
  verdict_seq: reward.verdictSeq,
});

const SAVE_REWARDS = `
  INSERT INTO rewards (tenant_id, reward_id, sequence, conversion_id, program_id, partner_id, plan_id, plan_version, beneficiary, state, amount_minor, currency,
    hold_until, click_id, attribution_revision, verdict_seq, reason, changed_at)
  SELECT r.* FROM jsonb_to_recordset($1::jsonb) AS r(tenant_id uuid, reward_id uuid, sequence int, conversion_id uuid, program_id uuid, partner_id uuid, plan_id uuid,
    plan_version int, beneficiary text, state text, amount_minor bigint, currency text, hold_until timestamptz, click_id text, attribution_revision int, verdict_seq int,
    reason text, at timestamptz)
  ORDER BY r.tenant_id, r.reward_id
  ON CONFLICT (tenant_id, reward_id) DO UPDATE SET sequence = excluded.sequence, plan_version = excluded.plan_version, state = excluded.state,
    amount_minor = excluded.amount_minor, currency = excluded.currency, hold_until = excluded.hold_until, click_id = excluded.click_id,
    attribution_revision = excluded.attribution_revision, verdict_seq = excluded.verdict_seq, reason = excluded.reason, changed_at = excluded.changed_at`;

const SAVE_POSTINGS = `
  INSERT INTO postings (tenant_id, reward_id, sequence, reason, hold_until, attribution_revision, verdict_seq, posted_at)
  SELECT r.* FROM jsonb_to_recordset($1::jsonb) AS r(tenant_id uuid, reward_id uuid, sequence int, reason text, hold_until timestamptz, attribution_revision int,
    verdict_seq int, at timestamptz) ORDER BY r.tenant_id, r.reward_id`;

const ENTRY = `jsonb_to_recordset($1::jsonb) AS r(tenant_id uuid, reward_id uuid, sequence int, account text, currency text, amount_minor bigint)`;
const SAVE_ENTRIES = `INSERT INTO entries (tenant_id, reward_id, sequence, account, currency, amount_minor) SELECT r.* FROM ${ENTRY} ORDER BY 1, 2, 3, 4, 5`;

// The net effect of the whole batch on each account: a hot account (a program's expense) is locked once, last, and for a moment.
const FOLD_BALANCES = `
  INSERT INTO balances (tenant_id, account, currency, amount_minor)
  SELECT r.tenant_id, r.account, r.currency, sum(r.amount_minor) FROM ${ENTRY} GROUP BY 1, 2, 3 HAVING sum(r.amount_minor) <> 0 ORDER BY 1, 2, 3
  ON CONFLICT (tenant_id, account, currency) DO UPDATE SET amount_minor = balances.amount_minor + excluded.amount_minor`;
