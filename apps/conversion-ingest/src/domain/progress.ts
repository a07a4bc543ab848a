import type { AttributionRevisedData, Credit, RewardChangedData, RewardState, VerdictGivenData } from '@baton/contracts';
import type { Answer } from './judge';

/** What is kept of an attribution: enough for a receipt, nothing of the visitor. */
export type KeptAttribution = ReturnType<typeof keptAttribution>;
export type KeptVerdict = ReturnType<typeof keptVerdict>;
export type KeptReward = ReturnType<typeof keptReward>;

/** What the other services told of one conversion, the newest of each. */
export interface Tidings {
  readonly attribution: KeptAttribution | null;
  readonly verdict: KeptVerdict | null;
  readonly rewards: readonly KeptReward[];
}

export const NO_TIDINGS: Tidings = { attribution: null, verdict: null, rewards: [] };

export const keptAttribution = ({ revision, programId, conversion, outcome, reason, credits, decidedAt }: AttributionRevisedData) => ({
  revision,
  programId: programId ?? null,
  outcome,
  reason,
  credits: credits.map(({ partnerId, linkId, clickId, shareNumerator, shareDenominator, evidence }) => ({
    partnerId,
    linkId,
    clickId,
    shareNumerator,
    shareDenominator,
    evidence,
  })),
  decidedAt,
  test: conversion.test,
  amountMinor: conversion.amountMinor,
  netAmountMinor: conversion.netAmountMinor,
  currency: conversion.currency,
  reversals: conversion.reversals,
});

export const keptVerdict = ({ attributionRevision, verdictSeq, decision, score, reasons, decidedAt }: VerdictGivenData) => ({
  attributionRevision,
  verdictSeq,
  decision,
  score,
  reasons,
  decidedAt,
});

export const keptReward = (reward: RewardChangedData) => ({
  rewardId: reward.rewardId,
  partnerId: reward.partnerId,
  beneficiary: reward.beneficiary,
  state: reward.state,
  amountMinor: reward.amountMinor,
  currency: reward.currency,
  holdUntil: reward.holdUntil,
  reason: reward.reason,
  changedAt: reward.changedAt,
});

/** The conversion whose progress a receipt shows: its own, or the one that it takes back; null where there is none. */
export const conversionOfAnswer = (answer: Answer): string | null =>
  answer['verdict'] === 'accepted' && typeof answer['conversion_id'] === 'string' ? answer['conversion_id'] : null;

/** As a receipt tells it. `test`: the receipt is a test key's, which never has rewards. */
export function progressOf({ attribution, verdict, rewards }: Tidings, test: boolean): Answer {
  const earned = test || attribution?.test ? [] : [...rewards].sort((a, b) => (a.rewardId < b.rewardId ? -1 : 1));
  return {
    attribution: attribution && {
      revision: attribution.revision,
      outcome: attribution.outcome,
      reason: attribution.reason,
      partner_ids: [...new Set(attribution.credits.map(({ partnerId }) => partnerId))],
      credits: attribution.credits.map(credit),
      decided_at: attribution.decidedAt,
    },
    fraud: verdict && {
      attribution_revision: verdict.attributionRevision,
      decision: verdict.decision,
      score: verdict.score,
      reasons: verdict.reasons.map(({ rule, ruleVersion, points, detail }) => ({ rule, rule_version: ruleVersion, points, detail })),
      decided_at: verdict.decidedAt,
    },
    rewards: earned.map((reward) => ({
      reward_id: reward.rewardId,
      partner_id: reward.partnerId,
      beneficiary: reward.beneficiary,
      state: reward.state,
      amount_minor: reward.amountMinor,
      currency: reward.currency,
      hold_until: reward.holdUntil,
      reason: reward.reason,
      changed_at: reward.changedAt,
    })),
    payout: payoutOf(earned),
    net_amount_minor: attribution?.netAmountMinor ?? null,
    reversals: (attribution?.reversals ?? []).map(({ reversalId, amountMinor, occurredAt }) => ({
      reversal_id: reversalId,
      amount_minor: amountMinor,
      occurred_at: occurredAt,
    })),
  };
}

type KeptCredit = Pick<Credit, 'partnerId' | 'linkId' | 'clickId' | 'shareNumerator' | 'shareDenominator' | 'evidence'>;

const credit = ({ partnerId, linkId, clickId, shareNumerator, shareDenominator, evidence }: KeptCredit): Answer => ({
  partner_id: partnerId,
  link_id: linkId,
  click_id: clickId,
  share: { numerator: shareNumerator, denominator: shareDenominator },
  evidence,
});

/** Of several rewards the one that most needs an eye speaks for the payout. */
const PAYOUT_STATES: readonly RewardState[] = ['review', 'unknown', 'sending', 'payable', 'clawed_back', 'paid'];

/** Null: nothing is due. `payable` waits for a payout; what was sent, and when it last moved, follows from the rewards' own states. */
function payoutOf(rewards: readonly KeptReward[]): Answer | null {
  const due = rewards.filter(({ state }) => PAYOUT_STATES.includes(state));
  const state = PAYOUT_STATES.find((one) => due.some((reward) => reward.state === one));
  if (!state) return null;
  const paidMinor = new Map<string, number>();
  for (const { state: own, currency, amountMinor } of due)
    if (own === 'paid') paidMinor.set(currency, (paidMinor.get(currency) ?? 0) + amountMinor);
  return {
    state,
    paid: [...paidMinor].sort().map(([currency, amountMinor]) => ({ currency, amount_minor: amountMinor })),
    changed_at: due
      .map(({ changedAt }) => changedAt)
      .sort()
      .at(-1),
  };
}
