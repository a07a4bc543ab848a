import { ConversionReceived, ConversionVerified, emit, IdentityLinked, type Outgoing, ReversalReceived } from '@baton/contracts';
import type { Claim, ConversionClaim, PlainClaim, Refusal, ReversalClaim, VerificationClaim } from './claim';
import { chooseProgram, type KnownProgram } from './program';
import { type KnownReferrers, referralOf } from './referral';

/** What the stores know of a tenant that bears on a group of claims. */
export interface Known extends KnownReferrers {
  readonly programs: readonly KnownProgram[];
  /** Link number to program; a link not told of yet is absent. */
  readonly programOfLink: ReadonlyMap<number, string>;
  /** Conversion id to currency, of the conversions that reversals name. */
  readonly currencyOf: ReadonlyMap<string, string>;
  /** Most that one reversal takes back unconfirmed, in minor units; absent: the tenant set no such cap. */
  readonly capMinor?: number | null;
  /** Conversion id to amount, of the conversions that reversals name; read where there is a cap. */
  readonly amountOf?: ReadonlyMap<string, number>;
}

/** The answer to a request that was accepted, kept as its receipt and given again to every repeat. */
export type Answer = Readonly<Record<string, unknown>>;
export type Judgement =
  | { readonly kind: 'accepted'; readonly event: Outgoing; readonly answer: Answer }
  | { readonly kind: 'refused'; readonly refusal: Refusal };

export function judge(claim: PlainClaim, known: Known): Judgement {
  if (claim.refusal) return { kind: 'refused', refusal: claim.refusal };
  if (claim.kind === 'conversion') return judgeConversion(claim, known);
  if (claim.kind === 'identity')
    return { kind: 'accepted', event: emit(IdentityLinked, claim.data), answer: answerOf(claim, { identity_id: claim.factId }) };
  if (claim.kind === 'verification') return judgeVerification(claim);
  return judgeReversal(claim, known);
}

function judgeVerification(claim: VerificationClaim): Judgement {
  const more = { verification_id: claim.factId, conversion_id: claim.data.conversionId, external_id: claim.externalId };
  return { kind: 'accepted', event: emit(ConversionVerified, claim.data), answer: answerOf(claim, more) };
}

function judgeReversal(claim: ReversalClaim, known: Known): Judgement {
  const currency = known.currencyOf.get(claim.conversionId);
  if (claim.data.currency && currency && claim.data.currency !== currency) {
    return {
      kind: 'refused',
      refusal: {
        code: 'currency_mismatch',
        detail: `The conversion is in ${currency}, the reversal in ${claim.data.currency}.`,
        field: 'currency',
      },
    };
  }
  const over = overCap(claim, known);
  if (over) return { kind: 'refused', refusal: over };
  return { kind: 'accepted', event: emit(ReversalReceived, claim.data), answer: reversalAnswer(claim) };
}

/** What was refunded elsewhere and is told by another door has happened: nobody there could confirm it. */
function overCap(claim: ReversalClaim, { capMinor = null, amountOf }: Known): Refusal | null {
  if (claim.confirmed || capMinor === null || claim.door !== 'api') return null;
  const amountMinor = Math.min(claim.data.amountMinor ?? Infinity, amountOf?.get(claim.conversionId) ?? claim.data.amountMinor ?? 0);
  if (amountMinor <= capMinor) return null;
  return {
    code: 'confirm_needed',
    detail: `It would take back ${amountMinor} minor units, and the account's cap is ${capMinor}. Send it again with "confirm": true.`,
    field: 'confirm',
    extra: { would_take_back: { conversions: 1, amount_minor: amountMinor }, cap: { amount_minor: capMinor } },
  };
}

export function reversalAnswer(claim: ReversalClaim, beside: Record<string, unknown> = {}): Answer {
  const { externalReversalId, amountMinor } = claim.data;
  const more = {
    fact_id: claim.factId,
    conversion_id: claim.conversionId,
    external_id: claim.externalId,
    reversal_id: externalReversalId ?? null,
    amount_minor: amountMinor ?? null,
  };
  return answerOf(claim, { ...more, ...beside });
}

function judgeConversion(claim: ConversionClaim, known: Known): Judgement {
  const ofLink = claim.linkNumber === null ? null : (known.programOfLink.get(claim.linkNumber) ?? null);
  const choice = chooseProgram({ named: claim.data.programId ?? null, ofLink, ofKey: claim.keyProgramId, programs: known.programs });
  if ('refusal' in choice) return { kind: 'refused', refusal: choice.refusal };
  const { programId } = choice;
  const late = outsideWindow(claim, programId, known);
  if (late) return { kind: 'refused', refusal: late };
  const referral = referralOf(claim, known);
  if ('refusal' in referral) return { kind: 'refused', refusal: referral.refusal };
  const data = { ...claim.data, programId: programId ?? undefined, referralDepth: referral.depth ?? undefined };
  return {
    kind: 'accepted',
    event: emit(ConversionReceived, data),
    answer: answerOf(claim, {
      conversion_id: claim.factId,
      external_id: claim.externalId,
      program_id: programId,
      ...(referral.depth === null ? {} : { referral_depth: referral.depth }),
      ...(data.pendingVerification ? { pending_verification: true } : {}),
    }),
  };
}

/** A click that no terms reach back to earns nothing, and nothing else was named that could. */
function outsideWindow({ onlyClick, clickedAtMs, data }: ConversionClaim, programId: string | null, known: Known): Refusal | null {
  const program = known.programs.find(({ id }) => id === programId);
  if (!onlyClick || clickedAtMs === null || !program) return null;
  return Date.parse(data.occurredAt) - clickedAtMs > program.windowMs ? { code: 'outside_window', field: 'click_id' } : null;
}

export function answerOf(claim: Claim, more: Record<string, unknown>): Answer {
  return {
    receipt_id: claim.receiptId,
    verdict: 'accepted',
    reason: 'accepted',
    kind: claim.kind,
    ...more,
    received_at: claim.receivedAt,
    occurred_at: claim.data.occurredAt,
    dropped_evidence: claim.droppedEvidence,
    test: claim.test,
  };
}
