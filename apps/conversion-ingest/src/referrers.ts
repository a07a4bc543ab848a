import type { PartnerData } from '@baton/contracts';
import type { Tx } from '@baton/platform';
import { CHAIN_MAX, type KnownReferrers, type Referrer } from './domain';

/** What is known of the partners of links and of referral codes, and of everybody above them: asked for together, and not at all where nobody is named. In a transaction of the one tenant. */
export async function referrersOf(
  tx: Tx,
  { numbers, codes }: { readonly numbers: readonly number[]; readonly codes: readonly string[] },
): Promise<Pick<KnownReferrers, 'partnerOfCode' | 'chainOf'>> {
  const [partnerOfCode, chainOf] = await Promise.all([partnersOfCodes(tx, codes), chains(tx, numbers, codes)]);
  return { partnerOfCode, chainOf };
}

const OWN = `tenant_id = current_setting('app.tenant')::uuid`;

/** A slug stands before a key of the same text. $1: the codes. */
const PARTNERS_OF_CODES = `SELECT DISTINCT ON (code) code, CASE type WHEN 'link' THEN data->>'partnerId' ELSE id::text END AS partner
  FROM catalog_entities WHERE ${OWN} AND code = ANY ($1::text[]) AND type IN ('link', 'partner') ORDER BY code, type, id`;

async function partnersOfCodes(tx: Tx, codes: readonly string[]): Promise<Map<string, string>> {
  if (codes.length === 0) return new Map();
  const rows = await tx.$queryRawUnsafe<{ code: string; partner: string }[]>(PARTNERS_OF_CODES, codes);
  return new Map(rows.map((row) => [row.code, row.partner]));
}

interface ChainRow {
  readonly start: string;
  readonly partner: Pick<PartnerData, 'id' | 'kind' | 'customerId' | 'referredBy' | 'referralDepth'>;
}

async function chains(tx: Tx, numbers: readonly number[], codes: readonly string[]): Promise<Map<string, Referrer[]>> {
  if (numbers.length === 0 && codes.length === 0) return new Map();
  const rows = await tx.$queryRawUnsafe<ChainRow[]>(
    `WITH RECURSIVE named(id) AS (
       SELECT (data->>'partnerId')::uuid FROM catalog_entities WHERE ${OWN} AND type = 'link' AND number = ANY ($2::bigint[])
       UNION
       SELECT partner::uuid FROM (${PARTNERS_OF_CODES}) AS of_code
     ), chain(start, step, partner) AS (
       SELECT e.id, 1, e.data FROM named JOIN catalog_entities e ON e.${OWN} AND e.type = 'partner' AND e.slot = 0 AND e.id = named.id
       UNION ALL
       SELECT c.start, c.step + 1, e.data FROM chain c
         JOIN catalog_entities e ON e.${OWN} AND e.type = 'partner' AND e.slot = 0 AND e.id = (c.partner->>'referredBy')::uuid
       WHERE c.step < ${CHAIN_MAX}
     ) SELECT start::text AS start, partner FROM chain ORDER BY start, step`,
    codes,
    numbers,
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
