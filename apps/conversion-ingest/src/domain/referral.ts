import type { ConversionClaim, Refusal } from './claim';

/** A partner, and where they are a customer who refers, whose they are. */
export interface Referrer {
  readonly partnerId: string;
  readonly kind: 'partner' | 'customer';
  readonly customerId: string | null;
  /** As the catalog says it; counted anew where the chain is whole. */
  readonly depth: number;
  /** Somebody referred them who is not in the chain. */
  readonly goesOn: boolean;
}

/** A partner first, then who referred them, and so on, at most `CHAIN_MAX`. Empty or absent: not known. */
export type Chain = readonly Referrer[];
export const CHAIN_MAX = 64;
const DEPTH_MAX = 1_000;

export interface KnownReferrers {
  /** Link number to partner. */
  readonly partnerOfLink: ReadonlyMap<number, string>;
  /** Referral code (a link's slug, or a partner's key) to partner. */
  readonly partnerOfCode: ReadonlyMap<string, string>;
  /** Partner to chain. */
  readonly chainOf: ReadonlyMap<string, Chain>;
}

/** Where a conversion stands among referrals; null: not known at receipt. */
export function referralOf(
  claim: ConversionClaim,
  known: KnownReferrers,
): { readonly depth: number | null } | { readonly refusal: Refusal } {
  const byClick = chainOf(claim.linkNumber === null ? undefined : known.partnerOfLink.get(claim.linkNumber), known);
  const byCode = chainOf(claim.data.referralCode ? known.partnerOfCode.get(claim.data.referralCode) : undefined, known);
  const refusal = loopOf(claim, byClick, 'click_id') ?? loopOf(claim, byCode, 'referral_code');
  return refusal ? { refusal } : { depth: depthOf(byClick) ?? depthOf(byCode) };
}

const chainOf = (partnerId: string | undefined, { chainOf: chains }: KnownReferrers): Chain =>
  partnerId === undefined ? [] : (chains.get(partnerId) ?? []);

const WHOSE = { click_id: 'the link that was clicked', referral_code: 'the referral code' } as const;

/** Nobody is referred by themself, nor by somebody whom they referred. */
function loopOf({ data }: ConversionClaim, chain: Chain, field: keyof typeof WHOSE): Refusal | null {
  const steps = data.customerId ? chain.findIndex(({ kind, customerId }) => kind === 'customer' && customerId === data.customerId) : -1;
  if (steps < 0) return null;
  const why =
    steps === 0
      ? `${WHOSE[field]} is their own`
      : `whoever shared ${WHOSE[field]} was referred by them${steps === 1 ? '' : `, ${steps} steps up`}`;
  return { code: 'self_referral', detail: `The customer would refer themself: ${why}. Send the conversion without it.`, field };
}

/** 0 by a professional partner; by a customer the number of customers who referred one another up to the newcomer. */
function depthOf(chain: Chain): number | null {
  const [first, last] = [chain[0], chain.at(-1)];
  if (!first || !last) return null;
  if (first.kind === 'partner') return 0;
  return Math.min(chain.length + (last.goesOn ? last.depth : 0), DEPTH_MAX);
}
