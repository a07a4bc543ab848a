import { crashPoint, type Database, InfrastructureError, Problem, type Tx } from '@baton/platform';
import { type Answer, type Claim, judge, type Judgement, type PlainClaim, type Refusal } from './domain';
import type { FactStore, NewFact, StoredFact } from './fact.store';
import type { Settle } from './groups';
import type { Rejection, RejectionStore } from './rejection.store';
import type { SeenStore } from './seen.store';
import type { TouchStore } from './touch.store';
import { type PendingTouch, sendTouches } from './touches';
import type { SelectionStore } from './selection.store';
import { arrivedOf, type PendingSelection, takeBack, takeBackArrived } from './take-back';

/** A claim to be decided, a touch to be sent, or a refusal that is stored for its sender alone. */
export type Pending = PendingClaim | PendingTouch | { readonly rejection: Rejection };

export interface PendingClaim {
  readonly claim: Claim;
  readonly traceparent: string;
  readonly validateOnly?: boolean;
  readonly idempotencyKey?: string | null;
  /** A repeat is told by its core alone. */
  readonly isLoose?: boolean;
}

export type Outcome =
  /** Receipt empty: a touch has none. */
  | { readonly kind: 'accepted' | 'duplicate'; readonly receiptId: string; readonly answer: Answer }
  | { readonly kind: 'validated'; readonly answer: Answer }
  | { readonly kind: 'conflict'; readonly receiptId: string }
  /** Receipt null: the refusal itself is not stored. */
  | { readonly kind: 'refused'; readonly refusal: Refusal; readonly receiptId: string | null };

export interface SettleParts {
  /** The api role: the database itself keeps a group to its one tenant. */
  readonly database: Database;
  readonly facts: FactStore;
  readonly selections: SelectionStore;
  readonly rejections: RejectionStore;
  readonly touches: TouchStore;
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

const isClaim = (pending: Pending): pending is PendingClaim => 'claim' in pending;
const isTouch = (pending: Pending): pending is PendingTouch => 'touch' in pending;
type PlainPending = PendingClaim & { readonly claim: PlainClaim };
const isSelection = (pending: PendingClaim): pending is PendingSelection => pending.claim.kind === 'reversals';
const isPlain = (pending: PendingClaim): pending is PlainPending => !isSelection(pending);

async function commit(parts: SettleParts, tenantId: string, items: readonly Pending[]): Promise<Outcome[]> {
  const claims = items.filter(isClaim);
  // Redis is asked while the transaction begins.
  const hinting = claims.length === 0 ? NO_IDS : parts.seen.seen([...new Set(claims.map(({ claim }) => claim.factId))]);
  const { outcomes, touched, remembered } = await parts.database.transaction([tenantId], async (tx) => {
    const settled = await settledIn(tx, parts, tenantId, claims, hinting);
    await parts.rejections.insert(tx, rejectionsOf(items, settled.outcomes));
    return { ...settled, touched: await sendTouches(tx, parts.touches, tenantId, items.filter(isTouch)) };
  });
  crashPoint('ingest:committed');
  if (remembered.length > 0 || touched.size > 0) parts.committed();
  parts.seen.remember(remembered);
  return items.map((item) => {
    if (isTouch(item)) return touched.get(item) as Outcome;
    return isClaim(item) ? (outcomes.get(item) as Outcome) : refusalOf(item.rejection);
  });
}

const NO_IDS: Promise<ReadonlySet<string>> = Promise.resolve(new Set<string>());

const refusalOf = ({ problem, receiptId }: Rejection): Outcome => ({ kind: 'refused', refusal: { code: problem.code }, receiptId });

/** Those that were handed in, and the claims that were refused now. */
function rejectionsOf(items: readonly Pending[], outcomes: ReadonlyMap<PendingClaim, Outcome>): Rejection[] {
  return items.flatMap((item) => {
    if (isTouch(item)) return [];
    if (!isClaim(item)) return [item.rejection];
    const outcome = outcomes.get(item);
    if (outcome?.kind !== 'refused' || outcome.receiptId === null) return [];
    const { tenantId, receiptId, kind, door, externalId, receivedAt } = item.claim;
    const problem = new Problem(outcome.refusal.code, outcome.refusal.detail, { extra: { ...outcome.refusal.extra } });
    return [{ tenantId, receiptId, kind, door, externalId, receivedAtMs: Date.parse(receivedAt), problem }];
  });
}

interface Settled {
  readonly outcomes: ReadonlyMap<PendingClaim, Outcome>;
  readonly stored: readonly NewFact[];
  /** Accepted now. */
  readonly remembered: readonly Claim[];
}

/** What names one fact goes first, so that a selection sees the conversions of its own group; selections one by one, so that each sees those before it. */
async function settledIn(
  tx: Tx,
  parts: SettleParts,
  tenantId: string,
  claims: readonly PendingClaim[],
  hinting: Promise<ReadonlySet<string>>,
): Promise<Settled> {
  const selections = claims.filter(isSelection);
  const plain = claims.filter(isPlain);
  // Statements of a transaction run in the order in which they are asked for: what is asked behind the lock sees what its last holder did.
  const [, { outcomes, stored }] = await Promise.all([
    hold(tx, parts.selections, tenantId, selections, plain),
    within(tx, parts, tenantId, plain, hinting),
  ]);
  const all = new Map(outcomes);
  for (const item of selections) {
    const settled = await takeBack(tx, parts, item);
    all.set(item, settled.kind === 'known' ? outcomeOf(item, settled.fact, undefined) : settled.outcome);
  }
  const told = selections.filter((item) => all.get(item)?.kind === 'accepted').map(({ claim }) => claim);
  return { outcomes: all, stored, remembered: [...stored.map(({ claim }) => claim), ...told] };
}

async function hold(
  tx: Tx,
  store: SelectionStore,
  tenantId: string,
  selections: readonly PendingSelection[],
  plain: readonly PlainPending[],
): Promise<void> {
  if (selections.some((item) => !item.validateOnly)) await store.hold(tx, tenantId, 'alone');
  else if (plain.some(({ claim }) => claim.kind === 'conversion')) await store.hold(tx, tenantId, 'together');
}

/** Insert first, then read what was there in a new statement: a look-up before the insert would miss what commits in between. */
async function within(
  tx: Tx,
  parts: SettleParts,
  tenantId: string,
  items: readonly PlainPending[],
  hinting: Promise<ReadonlySet<string>>,
): Promise<Omit<Settled, 'remembered'>> {
  const { facts } = parts;
  const known = new Map<string, StoredFact>();
  const learn = async (factIds: readonly string[]): Promise<void> => {
    for (const fact of await facts.ofIds(tx, factIds)) known.set(fact.factId, fact);
  };
  const [judgements] = await Promise.all([judged(tx, facts, tenantId, items), hinting.then((ids) => learn([...ids]))]);
  const open = items.filter(({ claim }) => !known.has(claim.factId));
  const reused = await reusedKeys(tx, facts, tenantId, items, known, judgements);
  const first = candidates(open, judgements, reused);
  const [inserted, standings] = await Promise.all([facts.insert(tx, first), parts.selections.standingFor(tx, arrivedOf(first))]);
  const stored = first.filter(({ claim }) => inserted.has(claim.factId));
  for (const fact of stored) known.set(fact.claim.factId, storedOf(fact));
  await learn([...new Set(open.map(({ claim }) => claim.factId))].filter((id) => !known.has(id)));
  const outcomes = items.map((item): [PendingClaim, Outcome] => [
    item,
    reused.has(item)
      ? { kind: 'refused', refusal: { code: 'idempotency_key_reused' }, receiptId: item.claim.receiptId }
      : outcomeOf(item, known.get(item.claim.factId), judgements.get(item)),
  ]);
  await takeBackArrived(tx, parts, standings, stored, items[0]?.traceparent ?? '');
  return { outcomes: new Map(outcomes), stored };
}

const storedOf = ({ claim: { factId, receiptId, bodyHash, coreHash, door }, answer }: NewFact): StoredFact => ({
  factId,
  receiptId,
  bodyHash,
  coreHash,
  door,
  answer,
});

/** Of two with one id in a group the first that can be accepted is; the other is judged against it. */
function candidates(
  items: readonly PendingClaim[],
  judgements: ReadonlyMap<PendingClaim, Judgement>,
  reused: ReadonlySet<PendingClaim>,
): NewFact[] {
  const first = new Map<string, NewFact>();
  for (const item of items) {
    const { claim, traceparent, validateOnly } = item;
    const judgement = judgements.get(item);
    if (judgement?.kind !== 'accepted' || validateOnly || reused.has(item) || first.has(claim.factId)) continue;
    const { answer, event } = judgement;
    first.set(claim.factId, { claim, answer, data: event.data, event, traceparent });
  }
  return [...first.values()];
}

async function judged(tx: Tx, facts: FactStore, tenantId: string, items: readonly PlainPending[]): Promise<Map<PendingClaim, Judgement>> {
  if (items.length === 0) return new Map();
  const known = await facts.known(
    tx,
    tenantId,
    items.map(({ claim }) => claim),
  );
  return new Map(items.map((item) => [item, judge(item.claim, known)]));
}

/** Those whose own key was used with another body before. A refused request uses no key up. */
async function reusedKeys(
  tx: Tx,
  facts: FactStore,
  tenantId: string,
  items: readonly PendingClaim[],
  known: ReadonlyMap<string, StoredFact>,
  judgements: ReadonlyMap<PendingClaim, Judgement>,
): Promise<Set<PendingClaim>> {
  const keyed = items.flatMap((item) =>
    item.idempotencyKey && !item.validateOnly && (known.has(item.claim.factId) || judgements.get(item)?.kind !== 'refused')
      ? [{ item, key: item.idempotencyKey, bodyHash: item.claim.bodyHash }]
      : [],
  );
  const bodies = await facts.bodiesOfKeys(tx, tenantId, keyed);
  return new Set(keyed.filter(({ key, bodyHash }) => bodies.get(key) !== bodyHash).map(({ item }) => item));
}

/** What is stored decides; only where nothing is, the request's own judgement does. So a repeat of what was accepted stays a duplicate after its program was paused. */
function outcomeOf(
  { claim, validateOnly, isLoose }: PendingClaim,
  stored: StoredFact | undefined,
  judgement: Judgement | undefined,
): Outcome {
  if (stored) {
    if (stored.receiptId === claim.receiptId) return { kind: 'accepted', receiptId: stored.receiptId, answer: stored.answer };
    if (isSame(stored, claim, isLoose)) return { kind: 'duplicate', receiptId: stored.receiptId, answer: stored.answer };
    return { kind: 'conflict', receiptId: stored.receiptId };
  }
  if (judgement?.kind === 'refused')
    return { kind: 'refused', refusal: judgement.refusal, receiptId: validateOnly ? null : claim.receiptId };
  if (judgement && validateOnly)
    return { kind: 'validated', answer: { ...judgement.answer, receipt_id: null, verdict: 'validated', reason: 'validated' } };
  throw new Error('an accepted fact was neither inserted nor found');
}

/** Through its own door a repeat says the same to the letter; through another, dialects differ in all but the core. */
const isSame = (stored: StoredFact, claim: Claim, isLoose = false): boolean =>
  stored.bodyHash === claim.bodyHash || ((isLoose || stored.door !== claim.door) && stored.coreHash === claim.coreHash);
