import type { ConversionReceivedData, ConversionVerifiedData, IdentityLinkedData, ReversalReceivedData } from '@baton/contracts';
import type { Tx } from '@baton/platform';
import type { Reversal, Verification } from './domain/facts';

export interface ReversalRow extends Reversal {
  readonly tenantId: string;
  readonly externalId: string;
}

export interface VerificationRow extends Verification {
  readonly tenantId: string;
  readonly externalId: string;
}

interface External {
  readonly tenantId: string;
  readonly externalId: string;
}

/** Conversions, verifications, reversals and the link log: kept once, by their own ids. Each `add` gives `<tenant id> <id>` of those that were not known before. */
export interface FactStore {
  addConversions(tx: Tx, conversions: readonly ConversionReceivedData[]): Promise<Set<string>>;
  addReversals(tx: Tx, reversals: readonly ReversalReceivedData[]): Promise<Set<string>>;
  addIdentities(tx: Tx, identities: readonly (IdentityLinkedData & { readonly named: readonly string[] })[]): Promise<Set<string>>;
  addVerifications(tx: Tx, verifications: readonly ConversionVerifiedData[]): Promise<Set<string>>;
  reversalsOf(tx: Tx, conversions: readonly External[]): Promise<ReversalRow[]>;
  verificationsOf(tx: Tx, conversions: readonly External[]): Promise<VerificationRow[]>;
}

export class PostgresFactStore implements FactStore {
  async addConversions(tx: Tx, conversions: readonly ConversionReceivedData[]): Promise<Set<string>> {
    if (conversions.length === 0) return new Set();
    return added(
      tx,
      `INSERT INTO conversions (tenant_id, conversion_id, external_id, receipt_id, program_id, type, amount_minor, currency, occurred_at, received_at, test, click_id, customer_id, dropped_evidence, pending_verification)
       SELECT r."tenantId", r."conversionId", r."externalId", r."receiptId", r."programId", r.type, r."amountMinor", r.currency, r."occurredAt", r."receivedAt", r.test, r."clickId", r."customerId", r."droppedEvidence", coalesce(r."pendingVerification", false)
       FROM jsonb_to_recordset($1::jsonb) AS r("tenantId" uuid, "conversionId" uuid, "externalId" text, "receiptId" uuid, "programId" uuid, type text, "amountMinor" bigint, currency text,
         "occurredAt" timestamptz, "receivedAt" timestamptz, test boolean, "clickId" text, "customerId" text, "droppedEvidence" text[], "pendingVerification" boolean)
       ORDER BY r."tenantId", r."conversionId" ON CONFLICT DO NOTHING RETURNING tenant_id || ' ' || conversion_id AS id`,
      conversions,
    );
  }

  addReversals(tx: Tx, reversals: readonly ReversalReceivedData[]): Promise<Set<string>> {
    return added(
      tx,
      `INSERT INTO reversals (tenant_id, reversal_id, external_id, amount_minor, currency, occurred_at, test)
       SELECT r."tenantId", r."reversalId", r."externalId", r."amountMinor", r.currency, r."occurredAt", r.test
       FROM jsonb_to_recordset($1::jsonb) AS r("tenantId" uuid, "reversalId" uuid, "externalId" text, "amountMinor" bigint, currency text, "occurredAt" timestamptz, test boolean)
       ORDER BY r."tenantId", r."reversalId" ON CONFLICT DO NOTHING RETURNING tenant_id || ' ' || reversal_id AS id`,
      reversals,
    );
  }

  addIdentities(tx: Tx, identities: readonly (IdentityLinkedData & { readonly named: readonly string[] })[]): Promise<Set<string>> {
    return added(
      tx,
      `INSERT INTO identities (tenant_id, identity_id, identifiers, occurred_at)
       SELECT r."tenantId", r."identityId", r.named, r."occurredAt" FROM jsonb_to_recordset($1::jsonb) AS r("tenantId" uuid, "identityId" uuid, named text[], "occurredAt" timestamptz)
       ORDER BY r."tenantId", r."identityId" ON CONFLICT DO NOTHING RETURNING tenant_id || ' ' || identity_id AS id`,
      identities,
    );
  }

  async addVerifications(tx: Tx, verifications: readonly ConversionVerifiedData[]): Promise<Set<string>> {
    if (verifications.length === 0) return new Set();
    return added(
      tx,
      `INSERT INTO verifications (tenant_id, verification_id, external_id, occurred_at, test)
       SELECT r."tenantId", r."verificationId", r."externalId", r."occurredAt", r.test
       FROM jsonb_to_recordset($1::jsonb) AS r("tenantId" uuid, "verificationId" uuid, "externalId" text, "occurredAt" timestamptz, test boolean)
       ORDER BY r."tenantId", r."verificationId" ON CONFLICT DO NOTHING RETURNING tenant_id || ' ' || verification_id AS id`,
      verifications,
    );
  }

  verificationsOf(tx: Tx, conversions: readonly External[]): Promise<VerificationRow[]> {
    return tx.$queryRawUnsafe(
      `SELECT v.tenant_id AS "tenantId", v.external_id AS "externalId", v.test
       FROM (SELECT DISTINCT "tenantId", "externalId" FROM jsonb_to_recordset($1::jsonb) AS c("tenantId" uuid, "externalId" text)) AS c
       CROSS JOIN LATERAL (SELECT * FROM verifications v WHERE v.tenant_id = c."tenantId" AND v.external_id = c."externalId" OFFSET 0) AS v`,
      JSON.stringify(conversions.map(({ tenantId, externalId }) => ({ tenantId, externalId }))),
    );
  }

  reversalsOf(tx: Tx, conversions: readonly External[]): Promise<ReversalRow[]> {
    return tx.$queryRawUnsafe(
      `SELECT r.tenant_id AS "tenantId", r.external_id AS "externalId", r.reversal_id AS "reversalId", r.amount_minor::float8 AS "amountMinor", r.currency,
         (extract(epoch FROM r.occurred_at) * 1000)::float8 AS "occurredAtMs", r.test
       FROM (SELECT DISTINCT "tenantId", "externalId" FROM jsonb_to_recordset($1::jsonb) AS c("tenantId" uuid, "externalId" text)) AS c
       CROSS JOIN LATERAL (SELECT * FROM reversals r WHERE r.tenant_id = c."tenantId" AND r.external_id = c."externalId" OFFSET 0) AS r`,
      JSON.stringify(conversions),
    );
  }
}

async function added(tx: Tx, sql: string, facts: readonly object[]): Promise<Set<string>> {
  return new Set((await tx.$queryRawUnsafe<{ id: string }[]>(sql, JSON.stringify(facts))).map(({ id }) => id));
}
