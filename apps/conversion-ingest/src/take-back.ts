import type { Tx } from '@baton/platform';
import {
  type Answer,
  dryRunAnswer,
  judgeSelection,
  type SelectionClaim,
  selectionAnswer,
  type Standing,
  stands,
  type Taken,
  takenOf,
  type Taking,
  takingAnswer,
  takingEvent,
  takingsOfStandings,
  tallyOf,
} from './domain';
import type { FactStore, NewFact, StoredFact } from './fact.store';
import type { SelectionStore } from './selection.store';
import type { Outcome, PendingClaim } from './settle';

export interface TakeBackParts {
  readonly facts: FactStore;
  readonly selections: SelectionStore;
}

export type PendingSelection = PendingClaim & { readonly claim: SelectionClaim };
export type SelectionSettled =
  { readonly kind: 'known'; readonly fact: StoredFact } | { readonly kind: 'outcome'; readonly outcome: Outcome };

/**
 * One request for several conversions: a reversal of each that was received, one receipt, and what waits for the others. Call it while the
 * tenant is held alone, unless nothing is to be stored. The reversals go first: what another request took back meanwhile is not this one's.
 */
export async function takeBack(tx: Tx, parts: TakeBackParts, item: PendingSelection): Promise<SelectionSettled> {
  const { facts, selections } = parts;
  const { claim, traceparent } = item;
  const { terms, tenantId } = claim;
  const [fact] = await facts.ofIds(tx, [claim.factId]);
  if (fact) return { kind: 'known', fact };
  const selected = await selections.selected(tx, terms.selection, terms.test);
  const cap = await selections.capOf(tx, tenantId);
  const judgement = judgeSelection(claim, selected, cap);
  const receiptId = claim.dryRun || item.validateOnly ? null : claim.receiptId;
  if (judgement.kind === 'refused') return settled({ kind: 'refused', refusal: judgement.refusal, receiptId });
  if (receiptId === null) return settled({ kind: 'validated', answer: validated(item, selected, judgement) });
  if (item.idempotencyKey) {
    const { idempotencyKey: key } = item;
    const bodies = await facts.bodiesOfKeys(tx, tenantId, [{ key, bodyHash: claim.bodyHash }]);
    if (bodies.get(key) !== claim.bodyHash) return settled({ kind: 'refused', refusal: { code: 'idempotency_key_reused' }, receiptId });
  }
  const made = await store(tx, facts, judgement.takings, traceparent);
  const answer = selectionAnswer(claim, selected, made);
  await facts.insert(tx, [{ claim, answer, data: { terms } }]);
  if (stands(terms, selected))
    await selections.stand(tx, { terms, cap: claim.confirmed ? null : cap, taken: takenSoFar(made), leftOut: 0 });
  return settled({ kind: 'accepted', receiptId, answer });
}

const settled = (outcome: Outcome): SelectionSettled => ({ kind: 'outcome', outcome });
const takenSoFar = (made: readonly Taking[]): Standing['taken'] => {
  const { conversions, amounts } = tallyOf(made);
  return { conversions, amounts };
};

function validated(
  { claim }: PendingSelection,
  selected: readonly Taken[],
  { takings, needsConfirm }: { readonly takings: readonly Taking[]; readonly needsConfirm: boolean },
): Answer {
  const answer = claim.dryRun ? dryRunAnswer(claim, selected, takings, needsConfirm) : selectionAnswer(claim, selected, takings);
  return { ...answer, receipt_id: null, verdict: 'validated', reason: 'validated' };
}

/** The conversions among facts. */
export const arrivedOf = (facts: readonly NewFact[]): Taken[] =>
  facts.flatMap(({ claim, data }) => (claim.kind === 'conversion' ? [takenOf(data as typeof claim.data)] : []));

/** Reversals that waited for conversions which this transaction has just stored. Call it after `hold`, in the transaction of the conversions. */
export async function takeBackArrived(
  tx: Tx,
  parts: TakeBackParts,
  standings: readonly Standing[],
  stored: readonly NewFact[],
  traceparent: string,
): Promise<void> {
  const arrived = arrivedOf(stored);
  if (standings.length === 0 || arrived.length === 0) return;
  const { takings, after } = takingsOfStandings(standings, await parts.selections.withReversals(tx, arrived));
  await store(tx, parts.facts, takings, traceparent);
  await parts.selections.restand(tx, after);
}

/** Each reversal is a fact with a receipt of its own; gives those that were new. */
async function store(tx: Tx, facts: FactStore, takings: readonly Taking[], traceparent: string): Promise<readonly Taking[]> {
  const inserted = await facts.insert(
    tx,
    takings.map((taking) => ({
      claim: taking.claim,
      answer: takingAnswer(taking),
      data: taking.claim.data,
      requestId: taking.terms.requestId,
      event: takingEvent(taking),
      traceparent,
    })),
  );
  return takings.filter(({ claim }) => inserted.has(claim.factId));
}
