import { nameId, type PlanData, type ProgramData, type VerdictGivenData } from '@baton/contracts';
import { type Bucket, type Change, type Entry, expenseAccount, type Holding, partnerAccount, type Reward } from './reward';
import { worthOf } from './worth';

/** All that decides what a conversion is worth at a moment. */
export interface Facts {
  /** The newest one. */
  readonly verdict: VerdictGivenData;
  /** The version of the program in force at the conversion; null while the catalog has not told. */
  readonly program: ProgramData | null;
  /** Of each plan of the program the version in force at the conversion. */
  readonly plans: readonly PlanData[];
  /** Every reward that this conversion ever had. */
  readonly rewards: readonly Reward[];
  readonly holdings: readonly Holding[];
  readonly nowMs: number;
}

export interface Settlement {
  readonly changes: readonly Change[];
  /** When the same facts would come out otherwise, because a hold ends; null when never. */
  readonly revisitAtMs: number | null;
  /** The terms are not known yet: to be settled again when the catalog brings them. */
  readonly awaitsTerms: boolean;
}

type Target = Omit<Reward, 'sequence'> & { readonly state: Bucket };

const DAY_MS = 86_400_000;

/**
 * What must change so that the ledger holds what the newest verdict is worth: the difference, never the amount itself, so that it does
 * not matter which verdicts came before, how often or in which order.
 */
export function settle(facts: Facts): Settlement {
  const awaitsTerms = earns(facts.verdict) && facts.program === null;
  const targets = new Map(targetsOf(facts).map((target) => [target.rewardId, target]));
  const known = new Map(facts.rewards.map((reward) => [reward.rewardId, reward]));
  const rewardIds = [...new Set([...known.keys(), ...targets.keys()])].sort();
  const changes = rewardIds.flatMap((rewardId) => changeOf(facts, known.get(rewardId), targets.get(rewardId)) ?? []);
  const waiting = [...targets.values()]
    .filter((target) => target.state === 'held' && facts.verdict.decision === 'approved')
    .map((target) => target.holdUntilMs);
  return { changes, revisitAtMs: waiting.length > 0 ? Math.min(...waiting) : null, awaitsTerms };
}

/** The program whose plans apply; null where nobody earned the conversion. */
export function programOf({ attribution }: VerdictGivenData): string | null {
  return attribution.credits.length === 0 ? null : (attribution.programId ?? attribution.credits[0]?.programId ?? null);
}

function earns({ decision, attribution }: VerdictGivenData): boolean {
  return decision !== 'rejected' && attribution.outcome === 'attributed' && attribution.credits.length > 0 && !attribution.conversion.test;
}

function targetsOf({ verdict, program, plans, nowMs }: Facts): Target[] {
  if (!earns(verdict) || !program) return [];
  const { attribution } = verdict;
  // Counted from the conversion, never from when it was handled.
  const holdUntilMs = Date.parse(attribution.conversion.occurredAt) + program.holdDays * DAY_MS;
  const state: Bucket = verdict.decision === 'approved' && nowMs >= holdUntilMs ? 'payable' : 'held';
  return plans.flatMap((plan) =>
    worthOf(attribution.conversion, attribution.credits, plan).map((worth) => ({
      ...worth,
      rewardId: nameId('reward', verdict.tenantId, verdict.conversionId, plan.id, worth.partnerId, 'partner'),
      programId: plan.programId,
      planId: plan.id,
      planVersion: plan.version,
      beneficiary: 'partner' as const,
      state,
      holdUntilMs,
      attributionRevision: verdict.attributionRevision,
      verdictSeq: verdict.verdictSeq,
    })),
  );
}

function changeOf(facts: Facts, before: Reward | undefined, target: Target | undefined): Change | null {
  const { attributionRevision, verdictSeq } = facts.verdict;
  const after = target ?? (before ? { ...before, state: 'voided' as const, amountMinor: 0, attributionRevision, verdictSeq } : null);
  if (!after) return null;
  const entries = differenceOf(facts.holdings, after);
  if (before && entries.length === 0 && isSame(before, after)) return null;
  return {
    reward: { ...after, sequence: (before?.sequence ?? 0) + 1 },
    reason: target ? reasonOf(facts, before, target) : voidReasonOf(facts, before as Reward),
    entries,
  };
}

/** By negating what lies in the ledger and posting the target; what cancels out is not posted. */
function differenceOf(holdings: readonly Holding[], after: Omit<Reward, 'sequence'>): Entry[] {
  const sums = new Map<string, Entry>();
  const add = (account: string, currency: string, amountMinor: number): void => {
    const key = `${account} ${currency}`;
    sums.set(key, { account, currency, amountMinor: (sums.get(key)?.amountMinor ?? 0) + amountMinor });
  };
  const move = (bucket: Bucket, currency: string, amountMinor: number): void => {
    add(partnerAccount(after.partnerId, bucket), currency, amountMinor);
    add(expenseAccount(after.programId), currency, -amountMinor);
  };
  for (const holding of holdings) if (holding.rewardId === after.rewardId) move(holding.bucket, holding.currency, -holding.amountMinor);
  if (after.state === 'held' || after.state === 'payable') move(after.state, after.currency, after.amountMinor);
  return [...sums.values()]
    .filter((entry) => entry.amountMinor !== 0)
    .sort((a, b) => (a.account + a.currency < b.account + b.currency ? -1 : 1));
}

/** Of what subscribers are told, what can change without money moving. A newer revision that says the same is no change. */
function isSame(before: Reward, after: Omit<Reward, 'sequence'>): boolean {
  const shown = (reward: Omit<Reward, 'sequence'>): unknown[] => [
    reward.state,
    reward.amountMinor,
    reward.currency,
    reward.planVersion,
    reward.holdUntilMs,
    reward.clickId,
  ];
  return JSON.stringify(shown(before)) === JSON.stringify(shown(after));
}

function reasonOf({ verdict }: Facts, before: Reward | undefined, target: Target): string {
  if (!before || before.state === 'voided') return 'accrued';
  if (before.planVersion !== target.planVersion || before.currency !== target.currency) return 'terms_changed';
  if (target.amountMinor < before.amountMinor && verdict.attribution.conversion.reversals.length > 0) return 'refunded';
  if (target.amountMinor !== before.amountMinor) return 'revised';
  if (before.state === 'held' && target.state === 'payable') return 'released';
  if (before.state === 'payable' && target.state === 'held') return verdict.decision === 'held' ? 'held_for_review' : 'hold_changed';
  return 'revised';
}

function voidReasonOf({ verdict }: Facts, before: Reward): string {
  const { conversion, credits, outcome } = verdict.attribution;
  if (verdict.decision === 'rejected') return 'rejected';
  if (conversion.test) return 'test';
  if (outcome !== 'attributed') return 'unattributed';
  if (conversion.netAmountMinor === 0 && conversion.reversals.length > 0) return 'refunded';
  return credits.some((credit) => credit.partnerId === before.partnerId) ? 'terms_changed' : 'reattributed';
}
