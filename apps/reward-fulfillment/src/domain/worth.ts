import type { AttributedConversion, Credit, PlanData } from '@baton/contracts';
import { halfUp } from './half-up';
import { split } from './split';

/** What one partner earns by one plan. */
export interface Worth {
  readonly partnerId: string;
  /** The earliest of the partner's touches that were credited. */
  readonly clickId: string;
  /** Minor units of `currency`, positive. */
  readonly amountMinor: number;
  readonly currency: string;
}

/** What a conversion is worth by one plan, as `share` of it falls to each partner; partners who get nothing are left out. */
export function worthOf(conversion: AttributedConversion, credits: readonly Credit[], plan: PlanData): Worth[] {
  if (plan.state !== 'active') return [];
  if (plan.conversionTypes.length > 0 && !plan.conversionTypes.includes(conversion.type)) return [];
  const total = totalOf(conversion, plan);
  if (total === 0n) return [];
  // A tie of the split goes to the earlier touch, whatever order the credits came in.
  const inOrder = [...credits].sort((a, b) => (a.occurredAt + a.clickId < b.occurredAt + b.clickId ? -1 : 1));
  const parts = split(
    total,
    inOrder.map((credit) => ({ numerator: BigInt(credit.shareNumerator), denominator: BigInt(credit.shareDenominator) })),
  );
  const currency = (plan.kind === 'flat' ? plan.currency : null) ?? conversion.currency;
  const worths = new Map<string, Worth>();
  inOrder.forEach((credit, index) => {
    const amountMinor = Number(parts[index]);
    if (amountMinor === 0) return;
    const known = worths.get(credit.partnerId);
    worths.set(
      credit.partnerId,
      known
        ? { ...known, amountMinor: known.amountMinor + amountMinor }
        : { partnerId: credit.partnerId, clickId: credit.clickId, amountMinor, currency },
    );
  });
  return [...worths.values()];
}

/** Minor units, rounded once. */
function totalOf(conversion: AttributedConversion, plan: PlanData): bigint {
  const net = BigInt(conversion.netAmountMinor);
  if (plan.kind === 'percentage') return halfUp(net * BigInt(plan.basisPoints ?? 0), 10_000n);
  const flat = BigInt(plan.amountMinor ?? 0);
  const gross = BigInt(conversion.amountMinor);
  if (gross > 0n) return halfUp(flat * net, gross);
  // A lead or a signup without an amount has no part to give back: it stands, or it was taken back.
  return conversion.reversals.length === 0 ? flat : 0n;
}
