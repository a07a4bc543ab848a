import { type ConversionReceivedData, type LineItem, nameId } from '@baton/contracts';
import type { ReversalClaim } from './claim';
import { reversalClaim } from './reversal';
import type { TakingTerms } from './selection';

/** A conversion that was received, with all that was taken back of it so far, and what it earned. */
export interface Taken {
  readonly conversionId: string;
  readonly externalId: string;
  readonly orderId: string | null;
  readonly clickId: string | null;
  readonly type: string;
  readonly event: string | null;
  readonly amountMinor: number;
  readonly currency: string;
  readonly occurredAt: string;
  readonly test: boolean;
  readonly lineItems: readonly LineItem[];
  readonly reversals: readonly KnownReversal[];
  readonly partnerIds: readonly string[];
  readonly rewards: readonly Money[];
}

export interface KnownReversal {
  readonly reversalId: string;
  /** Null: all that was left. */
  readonly amountMinor: number | null;
  readonly currency: string | null;
  readonly test: boolean;
  readonly lines: readonly UnitsOfLine[] | null;
}

export interface UnitsOfLine {
  readonly sku: string;
  readonly quantity: number;
}

export interface Money {
  readonly currency: string;
  readonly amountMinor: number;
}

/** A conversion as it was received: nothing is taken back of it yet. */
export const takenOf = (data: ConversionReceivedData): Taken => ({
  conversionId: data.conversionId,
  externalId: data.externalId,
  orderId: data.orderId ?? null,
  clickId: data.clickId ?? null,
  type: data.type,
  event: data.event ?? null,
  amountMinor: data.amountMinor,
  currency: data.currency,
  occurredAt: data.occurredAt,
  test: data.test,
  lineItems: data.lineItems ?? [],
  reversals: [],
  partnerIds: [],
  rewards: [],
});

/** One reversal of one conversion on its way to become a fact. */
export interface Taking {
  readonly terms: TakingTerms;
  readonly claim: ReversalClaim;
  readonly of: Taken;
  /** What it takes back, in minor units of the conversion's currency. */
  readonly takesMinor: number;
  readonly lines: readonly UnitsOfLine[] | null;
}

/** What is left of a conversion, in minor units, however its reversals are ordered. */
export function leftOf({ amountMinor, currency, test, reversals }: Taken): number {
  const applied = reversals.filter((one) => one.test === test && (one.currency === null || one.currency === currency));
  if (applied.some((one) => one.amountMinor === null)) return 0;
  return Math.max(0, amountMinor - applied.reduce((sum, one) => sum + (one.amountMinor ?? 0), 0));
}

export const isWhollyTaken = ({ currency, test, reversals }: Taken): boolean =>
  reversals.some((one) => one.amountMinor === null && one.test === test && (one.currency === null || one.currency === currency));

/** The reversals that these terms make of a conversion: none where it was taken back before. */
export function takingsOf(terms: TakingTerms, of: Taken): Taking[] {
  if (isWhollyTaken(of)) return [];
  if (terms.lines) return linesOf(terms, of);
  const claim = claimOf(terms, of, terms.amountMinor);
  const leftMinor = leftOf(of);
  return isNew(of, claim) ? [{ terms, claim, of, takesMinor: Math.min(terms.amountMinor ?? leftMinor, leftMinor), lines: null }] : [];
}

const isNew = ({ reversals }: Taken, { factId }: ReversalClaim): boolean => !reversals.some(({ reversalId }) => reversalId === factId);

/** Under the caller's id of the return one reversal of all lines; without one a reversal of each line, so that no line comes back twice. */
function linesOf(terms: TakingTerms, of: Taken): Taking[] {
  const returned = (terms.lines ?? []).flatMap((line) => returnedOf(of, line.sku, line.quantity ?? null));
  if (returned.length === 0) return [];
  const groups = terms.externalReversalId === null ? returned.map((one) => [one]) : [returned];
  let leftMinor = leftOf(of);
  return groups.flatMap((group) => {
    const amountMinor = group.reduce((sum, one) => sum + one.amountMinor, 0);
    if (amountMinor < 1) return [];
    const [only] = group;
    const id = terms.externalReversalId === null && only ? nameId('reversal', terms.tenantId, of.externalId, 'line', only.sku) : undefined;
    const claim = claimOf(terms, of, amountMinor, id);
    if (!isNew(of, claim)) return [];
    const takesMinor = Math.min(amountMinor, leftMinor);
    leftMinor -= takesMinor;
    return [{ terms, claim, of, takesMinor, lines: group.map(({ sku, quantity }) => ({ sku, quantity })) }];
  });
}

interface Returned extends UnitsOfLine {
  readonly amountMinor: number;
}

/** What the next units of a line are worth: its share up to and with them less its share before, so that pieces end exactly at the whole. */
function returnedOf({ lineItems, reversals }: Taken, sku: string, wanted: number | null): Returned[] {
  const lines = lineItems.filter((line) => line.sku === sku);
  const [units, amountMinor] = [sum(lines.map(({ quantity }) => quantity)), sum(lines.map((line) => line.amountMinor))];
  const before = Math.min(units, sum(reversals.flatMap(({ lines: own }) => own ?? []).map((own) => (own.sku === sku ? own.quantity : 0))));
  const quantity = Math.min(wanted ?? units, units - before);
  if (quantity < 1) return [];
  return [{ sku, quantity, amountMinor: shareOf(amountMinor, before + quantity, units) - shareOf(amountMinor, before, units) }];
}

/** Half up, exactly: a product of an amount and a quantity does not fit a float. */
export const shareOf = (amountMinor: number, part: number, whole: number): number =>
  whole === 0 ? 0 : Number((2n * BigInt(amountMinor) * BigInt(part) + BigInt(whole)) / (2n * BigInt(whole)));

const sum = (numbers: readonly number[]): number => numbers.reduce((all, one) => all + one, 0);

function claimOf(terms: TakingTerms, of: Taken, amountMinor: number | null, reversalId?: string): ReversalClaim {
  const { externalReversalId, reason } = terms;
  const currency = amountMinor === null ? null : of.currency;
  // Its own receipt, since a receipt is of one fact; the door says that it was not named by itself, so that its plain repeat is one.
  const manner = { ...terms, door: `${terms.door}:selection` };
  const claim = reversalClaim(of.externalId, { externalReversalId, amountMinor, currency, reason }, manner, reversalId);
  return { ...claim, receiptId: nameId('receipt', terms.receiptId, claim.factId) };
}
