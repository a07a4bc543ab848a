import type { PlanData } from '@baton/contracts';
import { firstVersion, nextVersion, type Stamp } from './stamp';
import type { TermsProblem } from './program';
import { BEGINNING } from './terms';

/** What a plan gives, in the caller's words. */
export interface RewardWords {
  readonly kind: 'flat' | 'percentage';
  /** flat: minor units. */
  readonly amount_minor?: number | null;
  readonly currency?: string | null;
  /** percentage: hundredths of a percent. */
  readonly basis_points?: number | null;
  /** percentage, as a decimal text: "2.9". */
  readonly percent?: string | null;
}

type Reward = Pick<PlanData, 'kind' | 'amountMinor' | 'currency' | 'basisPoints'>;
export type RewardCheck =
  { readonly kind: 'ok'; readonly reward: Reward } | { readonly kind: 'refused'; readonly problems: TermsProblem[] };

export function rewardOf(words: RewardWords): RewardCheck {
  const given = (name: keyof RewardWords): boolean => words[name] !== undefined && words[name] !== null;
  const needless = (names: (keyof RewardWords)[], kind: string): TermsProblem[] =>
    names.filter(given).map((field) => ({ field, problem: `does not belong to a ${kind} plan; leave it out` }));
  const missing = (names: (keyof RewardWords)[]): TermsProblem[] =>
    names.filter((name) => !given(name)).map((field) => ({ field, problem: 'is needed for a flat plan' }));

  if (words.kind === 'flat') {
    const problems = [...missing(['amount_minor', 'currency']), ...needless(['basis_points', 'percent'], 'flat')];
    if (problems.length > 0) return { kind: 'refused', problems };
    return { kind: 'ok', reward: { kind: 'flat', amountMinor: words.amount_minor, currency: words.currency, basisPoints: null } };
  }
  const problems = needless(['amount_minor', 'currency'], 'percentage');
  if (given('percent') === given('basis_points')) problems.push({ field: 'basis_points', problem: 'name either basis_points or percent' });
  const basisPoints = given('percent') ? basisPointsOf(words.percent as string) : words.basis_points;
  if (basisPoints === null)
    problems.push({ field: 'percent', problem: 'must be a decimal text above 0 and up to 100, with at most two places, such as "2.9"' });
  if (problems.length > 0) return { kind: 'refused', problems };
  return { kind: 'ok', reward: { kind: 'percentage', amountMinor: null, currency: null, basisPoints } };
}

/** "2.9" is 290: read digit by digit, since 2.9 * 100 is 289.99999999999994 in binary. Null when it is not such a number. */
export function basisPointsOf(percent: string): number | null {
  const match = /^(\d{1,3})(?:\.(\d{1,2}))?$/.exec(percent);
  if (!match) return null;
  const basisPoints = Number(match[1]) * 100 + Number((match[2] ?? '').padEnd(2, '0'));
  return basisPoints >= 1 && basisPoints <= 10_000 ? basisPoints : null;
}

export interface PlanTerms {
  readonly programId: string;
  readonly name: string;
  readonly conversionTypes: string[];
  readonly reward: Reward;
}

export const firstPlan = ({ reward, ...terms }: PlanTerms, stamp: Stamp, validFrom = BEGINNING): PlanData => ({
  ...terms,
  ...reward,
  ...firstVersion(stamp),
  validFrom,
});

/** The reward is said anew as a whole; a name or a list of types that is not named stays. */
export const nextPlan = (
  newest: PlanData,
  { reward, ...terms }: Partial<Omit<PlanTerms, 'programId'>>,
  stamp: Stamp,
  validFrom: string,
): PlanData => nextVersion(newest, stamp, { ...terms, ...reward, validFrom });
