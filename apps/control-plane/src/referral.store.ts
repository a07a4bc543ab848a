import type { AttributionRevisedData, ConversionReceivedData } from '@baton/contracts';
import type { Tx } from '@baton/platform';

export interface ConversionKey {
  readonly tenantId: string;
  readonly conversionId: string;
}

/** A conversion that enrols its customer. */
export interface Enrolling {
  readonly tenantId: string;
  readonly programId: string;
  readonly customerId: string;
  /** There are a partner and a link already. */
  readonly isEnrolled: boolean;
  /** By (occurredAt, id), the customer's first of all that enrol: it says who brought them. */
  readonly isFirst: boolean;
}

/** Conversions and their attributions, each in a row where the two meet. */
export interface ReferralStore {
  /** Program ids that enrol in any of their versions, by tenant. */
  programsThatEnrol(tx: Tx, tenantIds: readonly string[]): Promise<Map<string, ReadonlySet<string>>>;
  /** Gives those that were not known. */
  addConversions(tx: Tx, conversions: readonly ConversionReceivedData[]): Promise<ConversionKey[]>;
  /** Gives those that are newer than what was known. No conversion may come twice. */
  addAttributions(tx: Tx, attributions: readonly AttributionRevisedData[]): Promise<ConversionKey[]>;
  /** Of these, the ones that enrol under the terms in force when they happened. */
  enrolling(tx: Tx, conversions: readonly ConversionKey[]): Promise<Enrolling[]>;
  /** Customer id to the partner who is credited with the first conversion that enrolled them. */
  broughtBy(tx: Tx, tenantId: string, customerIds: readonly string[]): Promise<Map<string, string | null>>;
}

/** The version in force when the conversion happened says whether it enrols. */
const enrols = (row: string): string =>
  `(SELECT v.enrol_customers FROM program_versions v WHERE v.tenant_id = ${row}.tenant_id AND v.id = coalesce(${row}.program_id, ${row}.credited_program_id)
    AND v.valid_from <= ${row}.occurred_at ORDER BY v.version DESC LIMIT 1)`;

export const referrals: ReferralStore = {
  async programsThatEnrol(tx, tenantIds) {
    const rows = await tx.$queryRawUnsafe<{ tenant_id: string; ids: string[] }[]>(
      `SELECT tenant_id, array_agg(DISTINCT id)::text[] AS ids FROM program_versions WHERE tenant_id = ANY ($1::uuid[]) AND enrol_customers GROUP BY tenant_id`,
      tenantIds,
    );
    return new Map(rows.map((row) => [row.tenant_id, new Set(row.ids)]));
  },

  addConversions(tx, conversions) {
    return changed(
      tx,
      `INSERT INTO referrals (tenant_id, conversion_id, program_id, customer_id, occurred_at)
       SELECT DISTINCT ON (r."tenantId", r."conversionId") r."tenantId", r."conversionId", r."programId", r."customerId", r."occurredAt"
       FROM jsonb_to_recordset($1::jsonb) AS r("tenantId" uuid, "conversionId" uuid, "programId" uuid, "customerId" text, "occurredAt" timestamptz)
       ORDER BY r."tenantId", r."conversionId"
       ON CONFLICT (tenant_id, conversion_id) DO UPDATE SET program_id = excluded.program_id, customer_id = excluded.customer_id, occurred_at = excluded.occurred_at
         WHERE referrals.occurred_at IS NULL
       RETURNING tenant_id AS "tenantId", conversion_id AS "conversionId"`,
      conversions.map(({ tenantId, conversionId, programId, customerId, occurredAt }) => ({
        tenantId,
        conversionId,
        programId,
        customerId,
        occurredAt,
      })),
    );
  },

  addAttributions(tx, attributions) {
    return changed(
      tx,
      `INSERT INTO referrals (tenant_id, conversion_id, revision, credited_program_id, credited_partner_id)
       SELECT r."tenantId", r."conversionId", r.revision, r."programId", r."partnerId"
       FROM jsonb_to_recordset($1::jsonb) AS r("tenantId" uuid, "conversionId" uuid, revision int, "programId" uuid, "partnerId" uuid)
       ORDER BY r."tenantId", r."conversionId"
       ON CONFLICT (tenant_id, conversion_id) DO UPDATE SET revision = excluded.revision, credited_program_id = excluded.credited_program_id, credited_partner_id = excluded.credited_partner_id
         WHERE referrals.revision < excluded.revision
       RETURNING tenant_id AS "tenantId", conversion_id AS "conversionId"`,
      attributions.map(({ tenantId, conversionId, revision, programId, credits }) => ({
        tenantId,
        conversionId,
        revision,
        programId,
        partnerId: credits[0]?.partnerId,
      })),
    );
  },

  async enrolling(tx, conversions) {
    if (conversions.length === 0) return [];
    return tx.$queryRawUnsafe(
      `SELECT r.tenant_id AS "tenantId", coalesce(r.program_id, r.credited_program_id) AS "programId", r.customer_id AS "customerId",
         EXISTS (SELECT FROM partners p JOIN links l ON l.tenant_id = p.tenant_id AND l.partner_id = p.id AND l.program_id = coalesce(r.program_id, r.credited_program_id) AND l.referral
           WHERE p.tenant_id = r.tenant_id AND p.customer_id = r.customer_id) AS "isEnrolled",
         NOT EXISTS (SELECT FROM referrals e WHERE e.tenant_id = r.tenant_id AND e.customer_id = r.customer_id
           AND (e.occurred_at, e.conversion_id) < (r.occurred_at, r.conversion_id) AND ${enrols('e')}) AS "isFirst"
       FROM jsonb_to_recordset($1::jsonb) AS w("tenantId" uuid, "conversionId" uuid)
       JOIN referrals r ON r.tenant_id = w."tenantId" AND r.conversion_id = w."conversionId"
       WHERE r.customer_id IS NOT NULL AND ${enrols('r')}
       ORDER BY 1, r.occurred_at, r.conversion_id`,
      JSON.stringify(conversions),
    );
  },

  async broughtBy(tx, tenantId, customerIds) {
    const rows = await tx.$queryRawUnsafe<{ customer: string; partner: string | null }[]>(
      `SELECT w.customer, f.credited_partner_id AS partner FROM unnest($2::text[]) AS w(customer)
       CROSS JOIN LATERAL (SELECT r.credited_partner_id FROM referrals r WHERE r.tenant_id = $1::uuid AND r.customer_id = w.customer AND ${enrols('r')}
         ORDER BY r.occurred_at, r.conversion_id LIMIT 1) AS f`,
      tenantId,
      customerIds,
    );
    return new Map(rows.map((row) => [row.customer, row.partner]));
  },
};

const changed = async (tx: Tx, sql: string, rows: readonly object[]): Promise<ConversionKey[]> =>
  rows.length === 0 ? [] : tx.$queryRawUnsafe<ConversionKey[]>(sql, JSON.stringify(rows));
