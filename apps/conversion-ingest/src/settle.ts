import { crashPoint, type Database, InfrastructureError, type Tx, writeOutbox } from '@baton/platform';
import { type Answer, type Claim, judge, type Judgement, type Refusal } from './domain';
import type { FactStore, NewFact, StoredFact } from './fact.store';
import type { Settle } from './groups';
import type { SeenStore } from './seen.store';

export interface Pending {
  readonly claim: Claim;
  readonly traceparent: string;
}

export type Outcome =
  | { readonly kind: 'accepted' | 'duplicate'; readonly receiptId: string; readonly answer: Answer }
  | { readonly kind: 'conflict'; readonly receiptId: string }
  | { readonly kind: 'refused'; readonly refusal: Refusal };

export interface SettleParts {
  /** The api role: the database itself keeps a group to its one tenant. */
  readonly database: Database;
  readonly facts: FactStore;
  readonly seen: SeenStore;
  /** Wakes the relay. */
  readonly committed: () => void;
}

/**
 * One transaction for a group of one tenant: facts, receipts and outbox rows stand or fall together, and nothing is answered before the commit.
 * A failure that is not the world's is halved down to the item that brings it, so a bad one never fails its neighbours.
 */
export function settleWith(parts: SettleParts): Settle<Pending, Outcome> {
  const settle: Settle<Pending, Outcome> = async (tenantId, items) => {
    try {
      return await commit(parts, tenantId, items);
    } catch (error) {
      const failure = error instanceof Error ? error : new Error(String(error));
      if (failure instanceof InfrastructureError || items.length === 1) return items.map(() => failure);
      const half = Math.ceil(items.length / 2);
      return [...(await settle(tenantId, items.slice(0, half))), ...(await settle(tenantId, items.slice(half)))];
    }
  };
  return settle;
}

async function commit({ database, facts, seen, committed }: SettleParts, tenantId: string, items: readonly Pending[]): Promise<Outcome[]> {
  const hinted = await seen.seen([...new Set(items.map(({ claim }) => claim.factId))]);
  const { outcomes, stored } = await database.transaction([tenantId], (tx) => within(tx, facts, tenantId, items, hinted));
  crashPoint('ingest:committed');
  if (stored.length > 0) committed();
  seen.remember(stored.map(({ claim }) => claim));
  return outcomes;
}

/** Insert first, then read what was there in a new statement: a look-up before the insert would miss what commits in between. */
async function within(
  tx: Tx,
  facts: FactStore,
  tenantId: string,
  items: readonly Pending[],
  hinted: ReadonlySet<string>,
): Promise<{ outcomes: Outcome[]; stored: NewFact[] }> {
  const known = new Map<string, StoredFact>();
  const learn = async (factIds: readonly string[]): Promise<void> => {
    for (const fact of await facts.ofIds(tx, factIds)) known.set(fact.factId, fact);
  };
  await learn([...hinted]);
  const open = items.filter(({ claim }) => !known.has(claim.factId));
  const judgements = await judged(tx, facts, tenantId, open);
  const first = new Map<
    string,
    { readonly fact: NewFact; readonly pending: Pending; readonly judgement: Judgement & { kind: 'accepted' } }
  >();
  for (const pending of open) {
    const judgement = judgements.get(pending);
    // Of two with one id in a group the first that can be accepted is; the other is judged against it.
    if (judgement?.kind !== 'accepted' || first.has(pending.claim.factId)) continue;
    first.set(pending.claim.factId, {
      pending,
      judgement,
      fact: { claim: pending.claim, answer: judgement.answer, data: judgement.event.data },
    });
  }
  const inserted = await facts.insert(
    tx,
    [...first.values()].map(({ fact }) => fact),
  );
  const winners = [...first.values()].filter(({ pending }) => inserted.has(pending.claim.factId));
  await writeOutbox(
    tx,
    winners.map(({ judgement, pending }) => ({ ...judgement.event, traceparent: pending.traceparent })),
  );
  for (const { fact } of winners)
    known.set(fact.claim.factId, {
      factId: fact.claim.factId,
      receiptId: fact.claim.receiptId,
      bodyHash: fact.claim.bodyHash,
      answer: fact.answer,
    });
  await learn([...new Set(open.map(({ claim }) => claim.factId))].filter((id) => !known.has(id)));
  return {
    outcomes: items.map((pending) => outcomeOf(pending.claim, known.get(pending.claim.factId), judgements.get(pending))),
    stored: winners.map(({ fact }) => fact),
  };
}

async function judged(tx: Tx, facts: FactStore, tenantId: string, items: readonly Pending[]): Promise<Map<Pending, Judgement>> {
  if (items.length === 0) return new Map();
  const known = await facts.known(
    tx,
    tenantId,
    items.map(({ claim }) => claim),
  );
  return new Map(items.map((pending) => [pending, judge(pending.claim, known)]));
}

/** What is stored decides; only where nothing is, the request's own judgement does. So a repeat of what was accepted stays a duplicate after its program was paused. */
function outcomeOf(claim: Claim, stored: StoredFact | undefined, judgement: Judgement | undefined): Outcome {
  if (!stored) {
    if (judgement?.kind !== 'refused') throw new Error('an accepted fact was neither inserted nor found');
    return { kind: 'refused', refusal: judgement.refusal };
  }
  if (stored.receiptId === claim.receiptId) return { kind: 'accepted', receiptId: stored.receiptId, answer: stored.answer };
  if (stored.bodyHash === claim.bodyHash) return { kind: 'duplicate', receiptId: stored.receiptId, answer: stored.answer };
  return { kind: 'conflict', receiptId: stored.receiptId };
}
