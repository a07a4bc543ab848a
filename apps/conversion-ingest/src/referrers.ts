import type { PartnerData } from '@baton/contracts';
import type { Tx } from '@baton/platform';
import { CHAIN_MAX, type KnownReferrers, type Referrer } from './domain';

/** What is known of partners and of referral codes, and of everybody above them: two reads for a group, and none where nobody is named. In a transaction of the one tenant. */
export async function referrersOf(
  tx: Tx,
  { partnerIds, codes }: { readonly partnerIds: readonly string[]; readonly codes: readonly string[] },
): Promise<Omit<KnownReferrers, 'partnerOfLink'>> {
  const partnerOfCode = await partnersOfCodes(tx, [...new Set(codes)]);
  return { partnerOfCode, chainOf: await chains(tx, [...new Set([...partnerIds, ...partnerOfCode.values()])]) };
}

const OWN = `tenant_id = current_setting('app.tenant')::uuid`;

/** A slug stands before a key of the same text. */
async function partnersOfCodes(tx: Tx, codes: readonly string[]): Promise<Map<string, string>> {
  if (codes.length === 0) return new Map();
  const rows = await tx.$queryRawUnsafe<{ code: string; partner: string }[]>(
    `SELECT DISTINCT ON (code) code, CASE type WHEN 'link' THEN data->>'partnerId' ELSE id::text END AS partner
     FROM catalog_entities WHERE ${OWN} AND code = ANY ($1::text[]) AND type IN ('link', 'partner') ORDER BY code, type, id`,
    codes,
  );
  return new Map(rows.map((row) => [row.code, row.partner]));
}

interface ChainRow {
  readonly start: string;
  readonly partner: Pick<PartnerData, 'id' | 'kind' | 'customerId' | 'referredBy' | 'referralDepth'>;
}

async function chains(tx: Tx, partnerIds: readonly string[]): Promise<Map<string, Referrer[]>> {
  if (partnerIds.length === 0) return new Map();
  const rows = await tx.$queryRawUnsafe<ChainRow[]>(
    `WITH RECURSIVE chain(start, step, partner) AS (
       SELECT id, 1, data FROM catalog_entities WHERE ${OWN} AND type = 'partner' AND slot = 0 AND id = ANY ($1::uuid[])
       UNION ALL
       SELECT c.start, c.step + 1, e.data FROM chain c
         JOIN catalog_entities e ON e.${OWN} AND e.type = 'partner' AND e.slot = 0 AND e.id = (c.partner->>'referredBy')::uuid
       WHERE c.step < ${CHAIN_MAX}
     ) SELECT start::text AS start, partner FROM chain ORDER BY start, step`,
    partnerIds,
  );
  const found = new Map<string, Referrer[]>();
  for (const { start, partner } of rows) found.set(start, [...(found.get(start) ?? []), referrerOf(partner)]);
  return new Map(
    [...found].map(([start, chain]) => [start, chain.map((one, i) => ({ ...one, goesOn: one.goesOn && i === chain.length - 1 }))]),
  );
}

const referrerOf = ({ id, kind, customerId, referredBy, referralDepth }: ChainRow['partner']): Referrer => ({
  partnerId: id,
  kind,
  customerId: customerId ?? null,
  depth: referralDepth ?? 0,
  goesOn: (referredBy ?? null) !== null,
});
