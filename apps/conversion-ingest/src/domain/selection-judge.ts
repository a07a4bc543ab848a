import { emit, type Outgoing, ReversalReceived } from '@baton/contracts';
import type { Refusal, SelectionClaim } from './claim';
import { type Answer, answerOf, reversalAnswer } from './judge';
import type { TakingTerms } from './selection';
import { type Money, shareOf, type Taken, type Taking, takingsOf } from './taking';

/** Most that a request takes back unconfirmed. */
export interface Cap {
  readonly conversions: number;
  /** In each currency; null: none is set. */
  readonly minor: number | null;
}
export const CAP_CONVERSIONS = 10;
/** Most conversions of one request: they are one transaction. */
export const SELECTED_MAX = 2_000;

/** How much was taken back, or would be. */
export interface Tally {
  readonly conversions: number;
  readonly partners: number;
  readonly amounts: readonly Money[];
  readonly rewards: readonly Money[];
}

export type SelectionJudgement =
  | { readonly kind: 'refused'; readonly refusal: Refusal }
  | { readonly kind: 'accepted'; readonly takings: readonly Taking[]; readonly needsConfirm: boolean };

/** `selected`: at most one more than `SELECTED_MAX`. */
export function judgeSelection(claim: SelectionClaim, selected: readonly Taken[], cap: Cap): SelectionJudgement {
  const { terms, confirmed, dryRun } = claim;
  const refusal = claim.refusal ?? unfit(terms, selected, dryRun);
  if (refusal) return { kind: 'refused', refusal };
  const takings = selected.flatMap((one) => takingsOf(terms, one));
  const tally = tallyOf(takings);
  const isAddress = terms.selection.by === 'email';
  const needsConfirm = isAddress || isOver(tally, cap);
  if (needsConfirm && !confirmed && !dryRun) return { kind: 'refused', refusal: confirmNeeded(tally, cap, isAddress) };
  return { kind: 'accepted', takings, needsConfirm };
}

function unfit({ selection: { by, value }, lines, currency }: TakingTerms, selected: readonly Taken[], dryRun: boolean): Refusal | null {
  if (selected.length > SELECTED_MAX) return { code: 'selection_too_large', field: by };
  const [only] = selected;
  const reachesBack = by === 'customer_id' || by === 'email';
  if (!only && (by === 'receipt_id' || (reachesBack && !dryRun))) return { code: 'reversal_unknown', field: by };
  const isOne = by === 'external_id' || by === 'receipt_id';
  if (!isOne || !only) return null;
  if (currency !== null && currency !== only.currency)
    return { code: 'currency_mismatch', detail: `The conversion is in ${only.currency}, the reversal in ${currency}.`, field: 'currency' };
  const strange = lines?.findIndex(({ sku }) => !only.lineItems.some((line) => line.sku === sku)) ?? -1;
  return strange < 0
    ? null
    : {
        code: 'line_unknown',
        detail: `The conversion ${by === 'external_id' ? value : only.externalId} has no line ${lines?.[strange]?.sku ?? ''}.`,
        field: 'line_items',
      };
}

export const isOver = ({ conversions, amounts }: Pick<Tally, 'conversions' | 'amounts'>, cap: Cap): boolean =>
  conversions > cap.conversions || (cap.minor !== null && amounts.some(({ amountMinor }) => amountMinor > (cap.minor as number)));

function confirmNeeded(tally: Tally, cap: Cap, isAddress: boolean): Refusal {
  const money = tally.amounts.map(({ currency, amountMinor }) => `${amountMinor} ${currency}`).join(', ') || 'no money';
  const why = isAddress ? 'An e-mail address may reach more than is meant' : 'That is more than the account’s cap';
  return {
    code: 'confirm_needed',
    detail: `It would take back ${tally.conversions} conversions of ${tally.partners} partners (minor units: ${money}). ${why}: send it again with "confirm": true.`,
    field: 'confirm',
    extra: { would_take_back: tallyAnswer(tally), cap: { conversions: cap.conversions, amount_minor: cap.minor } },
  };
}

export function tallyOf(takings: readonly Taking[]): Tally {
  const conversions = new Map(takings.map(({ of }) => [of.conversionId, of]));
  const rewards = [...conversions.values()].flatMap((of) => {
    const takesMinor = takings.filter((one) => one.of === of).reduce((sum, one) => sum + one.takesMinor, 0);
    const isWhole = takings.some((one) => one.of === of && one.claim.data.amountMinor === undefined);
    return of.rewards.map((reward) =>
      isWhole ? reward : { ...reward, amountMinor: shareOf(reward.amountMinor, takesMinor, of.amountMinor) },
    );
  });
  return {
    conversions: conversions.size,
    partners: new Set([...conversions.values()].flatMap(({ partnerIds }) => partnerIds)).size,
    amounts: summed(takings.map(({ of, takesMinor }) => ({ currency: of.currency, amountMinor: takesMinor }))),
    rewards: summed(rewards),
  };
}

export function summed(amounts: readonly Money[]): Money[] {
  const sums = new Map<string, number>();
  for (const { currency, amountMinor } of amounts) sums.set(currency, (sums.get(currency) ?? 0) + amountMinor);
  return [...sums].sort().map(([currency, amountMinor]) => ({ currency, amountMinor }));
}

const tallyAnswer = ({ conversions, partners, amounts, rewards }: Tally): Answer => ({
  conversions,
  partners,
  amounts: amounts.map(moneyAnswer),
  rewards: rewards.map(moneyAnswer),
});
const moneyAnswer = ({ currency, amountMinor }: Money): Answer => ({ currency, amount_minor: amountMinor });

/** Whether it also takes what comes later. */
export const stands = ({ selection: { by }, lines }: TakingTerms, selected: readonly Taken[]): boolean =>
  by === 'order_id' || by === 'click_id' || (by === 'external_id' && lines !== null && selected.length === 0);

/** `takings`: those that became facts now. */
export function selectionAnswer(claim: SelectionClaim, selected: readonly Taken[], takings: readonly Taking[]): Answer {
  const { terms } = claim;
  const { by, value, event } = terms.selection;
  return answerOf(claim, {
    fact_id: claim.factId,
    // An address is kept by nobody, its hash says nothing to people.
    selector: { by, value: by === 'email' ? null : value, event },
    reversal_id: terms.externalReversalId,
    took_back: tallyAnswer(tallyOf(takings)),
    already_taken_back: selected.length - new Set(takings.map(({ of }) => of.conversionId)).size,
    stands: stands(terms, selected),
    reversals: takings.map(({ claim: one, lines }) => ({
      fact_id: one.factId,
      receipt_id: one.receiptId,
      conversion_id: one.conversionId,
      external_id: one.externalId,
      amount_minor: one.data.amountMinor ?? null,
      ...(lines ? { line_items: lines } : {}),
    })),
  });
}

/** To a dry run: the numbers. */
export function dryRunAnswer(claim: SelectionClaim, selected: readonly Taken[], takings: readonly Taking[], needsConfirm: boolean): Answer {
  const { reversals: _list, took_back, fact_id: _id, ...answer } = selectionAnswer(claim, selected, takings);
  return { ...answer, would_take_back: took_back, confirm_needed: needsConfirm };
}

export const takingAnswer = ({ claim, terms, lines }: Taking): Answer =>
  reversalAnswer(claim, { request_receipt_id: terms.receiptId, ...(lines ? { line_items: lines } : {}) });

export const takingEvent = ({ claim }: Taking): Outgoing => emit(ReversalReceived, claim.data);
