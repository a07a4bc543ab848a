import { emit, type Outgoing, RewardChanged, type VerdictGivenData } from '@baton/contracts';
import { counter, type Tx } from '@baton/platform';
import { type ConversionKey, type ConversionStore, keyOf, type ProgramKey } from './conversion.store';
import type { Change } from './domain/reward';
import { programOf, settle } from './domain/settle';
import { inForce, plansInForce, type Terms } from './domain/terms';
import type { Booked, LedgerStore } from './ledger.store';
import type { Revisit, RevisitStore } from './revisit.store';

export interface Settling {
  readonly conversions: ConversionStore;
  readonly ledger: LedgerStore;
  readonly revisits: RevisitStore;
  readonly now: () => number;
}

/** The catalog makes what waits for it due at once; this look is for what nobody foresaw. */
const AWAITING_MS = 300_000;

/**
 * Books what the newest verdicts are worth, as differences, and gives the events. The caller shares the gates of their programs and holds
 * the conversions' locks, so what is read here stands still until the commit.
 */
export async function settleAll(
  { conversions, ledger, revisits, now }: Settling,
  tx: Tx,
  verdicts: readonly VerdictGivenData[],
): Promise<Outgoing[]> {
  if (verdicts.length === 0) return [];
  const nowMs = now();
  const keys = verdicts.map(({ tenantId, conversionId }) => ({ tenantId, conversionId }));
  const terms = await conversions.terms(tx, programsOf(verdicts));
  const rewards = groupByConversion(await ledger.rewardsOf(tx, keys));
  const holdings = groupByConversion(await ledger.holdingsOf(tx, keys));
  const booked: Booked[] = [];
  const planned: Revisit[] = [];
  for (const verdict of verdicts) {
    const key = conversionText(verdict);
    const settlement = settle({
      verdict,
      ...termsOf(verdict, terms),
      rewards: rewards.get(key) ?? [],
      holdings: holdings.get(key) ?? [],
      nowMs,
    });
    const { tenantId, conversionId } = verdict;
    booked.push(...settlement.changes.map((change) => ({ tenantId, conversionId, change })));
    if (settlement.revisitAtMs !== null) planned.push({ tenantId, conversionId, why: 'hold_ends', dueAtMs: settlement.revisitAtMs });
    else if (settlement.awaitsTerms) planned.push({ tenantId, conversionId, why: 'awaits_terms', dueAtMs: nowMs + AWAITING_MS });
  }
  await ledger.book(tx, booked, nowMs);
  for (const { change } of booked) changes().inc({ reason: change.reason });
  await revisits.plan(tx, keys, planned);
  return booked.map(({ tenantId, conversionId, change }) => emit(RewardChanged, eventOf(tenantId, conversionId, change, nowMs)));
}

const changes = () =>
  counter('baton_rewards_changes_total', 'Changes of rewards, by reason; one more when a transaction is run again', ['reason']);

/** The programs whose terms decide. */
export function programsOf(verdicts: readonly VerdictGivenData[]): ProgramKey[] {
  return verdicts.flatMap((verdict) => {
    const programId = programOf(verdict);
    return programId ? [{ tenantId: verdict.tenantId, programId }] : [];
  });
}

export const conversionText = ({ tenantId, conversionId }: ConversionKey): string => `${tenantId}:${conversionId}`;

function termsOf(verdict: VerdictGivenData, terms: ReadonlyMap<string, Terms>): Pick<Parameters<typeof settle>[0], 'program' | 'plans'> {
  const programId = programOf(verdict);
  const known = programId ? terms.get(keyOf({ tenantId: verdict.tenantId, programId })) : undefined;
  if (!known) return { program: null, plans: [] };
  const at = verdict.attribution.conversion.occurredAt;
  return { program: inForce(known.programs, at), plans: plansInForce(known, at) };
}

function groupByConversion<T extends ConversionKey>(rows: readonly T[]): Map<string, T[]> {
  const groups = new Map<string, T[]>();
  for (const row of rows) {
    const key = conversionText(row);
    groups.set(key, [...(groups.get(key) ?? []), row]);
  }
  return groups;
}

function eventOf(tenantId: string, conversionId: string, { reward, reason }: Change, nowMs: number) {
  const { holdUntilMs, ...rest } = reward;
  return {
    ...rest,
    tenantId,
    conversionId,
    holdUntil: new Date(holdUntilMs).toISOString(),
    reason,
    changedAt: new Date(nowMs).toISOString(),
  };
}
