import { AttributionRevised, emit, nameId, type Outgoing, peekClickId } from '@baton/contracts';
import { counter, type Tx } from '@baton/platform';
import type { AttributionStore, ConversionRow, Decided, PersonKey } from './attribution.store';
import type { ClickKey, ClickStore, RecordedClick } from './click.store';
import { attribute } from './domain/attribute';
import { CLICK, CUSTOMER, dayOf, EXTERNAL, type Naming, valuesOf } from './domain/naming';
import { merge } from './domain/persons';
import type { FactStore } from './fact.store';
import { distinct } from './grouping';
import { readKnown } from './known';
import type { IdentifierKey, PersonStore } from './person.store';
import type { RecheckStore } from './recheck.store';

export interface Stores {
  readonly facts: FactStore;
  readonly clicks: ClickStore;
  readonly persons: PersonStore;
  readonly attributions: AttributionStore;
  readonly rechecks: RecheckStore;
}

/** What a batch of facts, already stored, brings to persons. */
export interface News {
  /** Each names one person; the conversions named (`external:`) are decided anew. */
  readonly namings: readonly Naming[];
  /** Records whose empty rows were waiting for them. */
  readonly records?: readonly RecordedClick[];
  /** Named clicks that surely have a row: none need be left for them. */
  readonly stored?: readonly ClickKey[];
}

export type Revise = (tx: Tx, news: News) => Promise<Outgoing[]>;

/**
 * The heart: insert, lock, then read. The facts are in (by the caller); this makes their identifiers known, locks the persons, joins
 * those that a fact names together, and only then, in new statements, reads what is known about them, decides, and gives a revision for
 * each answer that changed. Whoever else brings a fact about these persons waits at the lock, and then sees ours.
 */
export const revising =
  (stores: Stores, pendingMs: number): Revise =>
  async (tx, news) => {
    const { namings } = news;
    if (namings.length === 0) return [];
    const changed = await join(stores, tx, news);
    const named = namings.flatMap((naming) => valuesOf(naming, EXTERNAL).map((externalId) => ({ tenantId: naming.tenantId, externalId })));
    if (changed.length === 0 && named.length === 0) return [];
    await stores.attributions.holdCatalog(tx);
    const rows = await stores.attributions.toDecide(tx, changed, named, pendingMs);
    return decide(stores, tx, rows);
  };

/** Gives the persons whose clicks changed: all their conversions are open again. */
async function join({ clicks, persons }: Stores, tx: Tx, { namings, records = [], stored = [] }: News): Promise<PersonKey[]> {
  const identifiers = distinct(
    namings.flatMap(({ tenantId, identifiers }) => identifiers.map((identifier) => ({ tenantId, identifier }))),
    keyOf,
  );
  const hasRow = new Set(stored.map(rowOf));
  await clicks.expect(
    tx,
    identifiers.flatMap(clickKeyOf).filter((click) => !hasRow.has(rowOf(click))),
  );
  const named = namings.map(({ tenantId, identifiers }) => identifiers.map((identifier) => keyOf({ tenantId, identifier })));
  const { before, fresh } = await introduce(persons, tx, identifiers, merge(named, new Map()).roots);
  const { moves, roots } = merge(named, before);
  await persons.move(
    tx,
    [...moves].map(([from, to]) => ({ tenantId: tenantOf(from), root: restOf(from), newRoot: restOf(to) })),
  );
  const tied = await clicks.tie(tx, tiesOf(namings));
  const filled = await clicks.fill(tx, records);
  const changed = new Set(
    [...tied, ...filled].map(({ tenantId, clickId }) => roots.get(keyOf({ tenantId, identifier: CLICK + clickId })) as string),
  );
  for (const root of joined(before, roots, fresh)) changed.add(root);
  return [...changed].map((root) => ({ tenantId: tenantOf(root), root: restOf(root) }));
}

/**
 * Makes identifiers known and gives their present roots, locked. Those that were new (`fresh`) got theirs as if nothing of the batch had been known, so
 * that most stand where they belong at once. Nobody else sees them yet, so they need no lock.
 */
async function introduce(
  persons: PersonStore,
  tx: Tx,
  identifiers: readonly IdentifierKey[],
  proposed: ReadonlyMap<string, string>,
): Promise<{ readonly before: ReadonlyMap<string, string>; readonly fresh: ReadonlySet<string> }> {
  const rootOf = (key: string): string => proposed.get(key) as string;
  const introduced = await persons.introduce(
    tx,
    identifiers.map((i) => ({ ...i, root: restOf(rootOf(keyOf(i))), day: clickKeyOf(i)[0]?.day ?? null })),
  );
  const fresh = new Set(introduced.map(keyOf));
  const locked = await persons.lock(
    tx,
    identifiers.filter((i) => !fresh.has(keyOf(i))),
  );
  const before = new Map(locked.map((i) => [keyOf(i), keyOf({ tenantId: i.tenantId, identifier: i.root })]));
  for (const key of fresh) before.set(key, rootOf(key));
  return { before, fresh };
}

/** Persons that were put together from two known ones, or that a click came to. One that only got a new name stays as it is. */
function joined(before: ReadonlyMap<string, string>, roots: ReadonlyMap<string, string>, fresh: ReadonlySet<string>): string[] {
  const known = new Map<string, Set<string>>();
  const gotClick = new Set<string>();
  for (const [identifier, root] of roots) {
    const old = before.get(identifier) as string;
    if (!fresh.has(identifier)) known.set(root, (known.get(root) ?? new Set()).add(old));
    else if (restOf(identifier).startsWith(CLICK)) gotClick.add(root);
  }
  return [...known].filter(([root, olds]) => olds.size > 1 || gotClick.has(root)).map(([root]) => root);
}

async function decide(stores: Stores, tx: Tx, rows: readonly ConversionRow[]): Promise<Outgoing[]> {
  if (rows.length === 0) return [];
  const known = await readKnown(stores, tx, rows);
  const decided: Decided[] = [];
  const due: { tenantId: string; conversionId: string; atMs: number }[] = [];
  const over: ConversionRow[] = [];
  for (const row of rows) {
    const settled = row.wasSettled || row.nowMs >= row.settlesAtMs;
    const decision = attribute({
      conversion: row,
      reversals: known.reversals(row),
      verifications: known.verifications(row),
      clicks: known.clicks(row),
      terms: known.terms(row),
      settled,
    });
    // Time alone changes nothing for what waits for its verification.
    if (decision.content.outcome === 'pending' && !decision.content.finerReason)
      due.push({ tenantId: row.tenantId, conversionId: row.conversionId, atMs: row.settlesAtMs });
    else if (row.revision > 0) over.push(row);
    const state = stateOf(row, decision, settled);
    if (state) decided.push(state);
  }
  await stores.attributions.write(tx, decided);
  await stores.rechecks.plan(tx, due, over);
  return decided.flatMap(({ revised }) => {
    if (!revised) return [];
    revisions.inc({ outcome: revised.outcome, reason: revised.finerReason ?? revised.reason });
    return [emit(AttributionRevised, revised)];
  });
}

const revisions = counter(
  'baton_attribution_revisions_total',
  'Revisions decided, by outcome (one that is rolled back and tried again counts twice)',
  ['outcome', 'reason'],
);

/** What to write for a decision, or null where nothing changed. */
function stateOf(
  row: ConversionRow,
  { content, waitingLinks, programIds }: ReturnType<typeof attribute>,
  settled: boolean,
): Decided | null {
  const contentHash = nameId(JSON.stringify(content));
  const isNew = contentHash !== row.contentHash;
  const isSame =
    !isNew && settled === row.wasSettled && String(waitingLinks) === String(row.waitingLinks) && String(programIds) === String(row.restsOn);
  if (isSame) return null;
  const { tenantId, conversionId } = row;
  const revision = row.revision + (isNew ? 1 : 0);
  const revised = isNew ? { tenantId, conversionId, revision, ...content, decidedAt: new Date(row.nowMs).toISOString() } : null;
  return { tenantId, conversionId, contentHash, settled, waitingLinks, restsOn: programIds, revision, revised };
}

/** Customers and clicks that one fact names together. */
function tiesOf(namings: readonly Naming[]): (ClickKey & { customerIds: string[] })[] {
  const ties = new Map<string, ClickKey & { customerIds: string[] }>();
  for (const naming of namings) {
    const customerIds = valuesOf(naming, CUSTOMER);
    if (customerIds.length === 0) continue;
    for (const click of naming.identifiers.flatMap((identifier) => clickKeyOf({ tenantId: naming.tenantId, identifier }))) {
      const tie = ties.get(rowOf(click)) ?? { ...click, customerIds: [] };
      tie.customerIds = [...new Set([...tie.customerIds, ...customerIds])];
      ties.set(rowOf(click), tie);
    }
  }
  return [...ties.values()];
}

function clickKeyOf({ tenantId, identifier }: IdentifierKey): ClickKey[] {
  if (!identifier.startsWith(CLICK)) return [];
  const clickId = identifier.slice(CLICK.length);
  const id = peekClickId(clickId);
  return id ? [{ tenantId, day: dayOf(id), clickId }] : [];
}

const rowOf = ({ tenantId, clickId }: ClickKey): string => `${tenantId} ${clickId}`;
/** A tenant id is 36 characters: identifiers of two tenants never meet. */
const keyOf = ({ tenantId, identifier }: IdentifierKey): string => `${tenantId} ${identifier}`;
const tenantOf = (key: string): string => key.slice(0, 36);
const restOf = (key: string): string => key.slice(37);
