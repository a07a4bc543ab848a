import type { Decision, FraudReason } from '@baton/contracts';
import { clickBurst } from './click-burst.rule';
import type { Facts, Rule } from './facts';
import { tooFast } from './too-fast.rule';

export interface Judgement {
  readonly decision: Decision;
  readonly score: number;
  readonly reasons: FraudReason[];
}

const RULES: readonly Rule[] = [clickBurst, tooFast];

/** From here on a person must look: the reward accrues, and is not paid. */
const HELD_FROM = 50;
/** From here on nothing is owed. No two of today's rules reach it: turning a reward down on circumstance alone is for people. */
const REJECTED_FROM = 150;

/** The score is the sum of the points, and each point has a reason. The same facts always give the same judgement. */
export function judge(facts: Facts): Judgement {
  const reasons = RULES.flatMap((rule) => {
    const found = rule.judge(facts);
    return found ? [{ rule: rule.name, ruleVersion: rule.version, ...found }] : [];
  });
  const score = reasons.reduce((sum, reason) => sum + reason.points, 0);
  return { decision: score >= REJECTED_FROM ? 'rejected' : score >= HELD_FROM ? 'held' : 'approved', score, reasons };
}

/** Whether two judgements would be told apart by anyone who reads them. */
export const sameJudgement = (a: Judgement, b: Judgement): boolean =>
  a.decision === b.decision && a.score === b.score && JSON.stringify(a.reasons.map(plain)) === JSON.stringify(b.reasons.map(plain));

/** Keys in a fixed order, whatever store the reason came through. */
const plain = ({ rule, ruleVersion, points, detail }: FraudReason): unknown => [
  rule,
  ruleVersion,
  points,
  Object.entries(detail).sort(([a], [b]) => (a < b ? -1 : 1)),
];
