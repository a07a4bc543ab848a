import type { AttributionFinerReason, AttributionReason, AttributionRevisedData, Credit, LostCandidate } from '@baton/contracts';
import { type Standing, standingOf } from './eligibility';
import { type Click, type Conversion, placeOf, type Reversal, type Terms, type Verification } from './facts';
import { netOf } from './net';

/** Everything that a revision says except whose it is, its number and when it was decided. */
export type Content = Omit<AttributionRevisedData, 'tenantId' | 'conversionId' | 'revision' | 'decidedAt'>;

export interface Known {
  readonly conversion: Conversion;
  /** Every reversal that names the conversion's external id, in any order. */
  readonly reversals: readonly Reversal[];
  /** Every verification that names the conversion's external id, in any order. */
  readonly verifications: readonly Verification[];
  /** Every click of the person, in any order. */
  readonly clicks: readonly Click[];
  /** Program id to the terms in force at the conversion. */
  readonly terms: ReadonlyMap<string, Terms>;
  /** The time to wait is over: what is not known now counts as absent, until it comes. */
  readonly settled: boolean;
}

export interface Decision {
  readonly content: Content;
  /** Link numbers of the person's clicks that the catalog does not know here yet: when one comes, decide again. */
  readonly waitingLinks: number[];
  /** Programs whose terms this decision rests on, or would: when one gets a version, decide again. */
  readonly programIds: string[];
}

const LOST_MAX = 20;
const MODEL = { name: 'last_touch', version: 1 } as const;
/** Of a conversion that nobody earned, the reason to name: the one of the candidate that came closest. */
const REASONS_BY_CLOSENESS: readonly AttributionReason[] = [
  'program_unknown',
  'outside_window',
  'after_conversion',
  'other_program',
  'not_countable',
];

interface Candidate {
  readonly click: Click;
  readonly standing: Standing;
  readonly isNamed: boolean;
}

/**
 * Who earned this conversion, from all that is known: an eligible click that the conversion itself names, else the person's newest
 * eligible click by (occurredAt, click id). A pure function of the set of facts: no order of arrival can change its answer.
 */
export function attribute(known: Known): Decision {
  const { conversion, settled } = known;
  if (!isVerified(known)) return unverified(known);
  const ranked = rank(known);
  const winner = ranked.find(({ standing }) => standing.kind === 'eligible' || (standing.kind === 'unknown' && !settled));
  const credited = winner?.standing.kind === 'eligible' ? winner : undefined;
  const verdict = verdictOf(known, ranked, winner);
  const terms =
    credited?.standing.kind === 'eligible'
      ? credited.standing.terms
      : conversion.programId
        ? known.terms.get(conversion.programId)
        : undefined;
  return {
    content: {
      programId: conversion.programId ?? (credited ? (placeOf(credited.click)?.programId ?? null) : null),
      conversion: describe(known),
      ...verdict,
      model: terms ? { ...MODEL, windowMs: terms.windowMs, clockSkewMs: terms.clockSkewMs, programVersion: terms.version } : null,
      credits: credited ? [creditOf(conversion, credited)] : [],
      lost: lostOf(ranked, credited, settled),
    },
    waitingLinks: distinct(known.clicks.filter((click) => !placeOf(click)).map((click) => click.linkNumber)).sort((a, b) => a - b),
    programIds: conversion.programId
      ? [conversion.programId]
      : distinct(known.clicks.flatMap((click) => placeOf(click)?.programId ?? [])).sort(),
  };
}

/** A test key's word counts for test-mode conversions alone. */
const isVerified = ({ conversion, verifications }: Known): boolean =>
  !conversion.pendingVerification || verifications.some(({ test }) => test === conversion.test);

const AWAITING_VERIFICATION: AttributionFinerReason = 'awaiting_verification';

/** Whoever may have earned it, nobody has yet, however long it waits; nothing but its verification brings it back, and then everything is read anew. */
const unverified = (known: Known): Decision => ({
  content: {
    programId: known.conversion.programId,
    conversion: describe(known),
    outcome: 'pending',
    reason: 'awaiting_touch',
    finerReason: AWAITING_VERIFICATION,
    model: null,
    credits: [],
    lost: [],
  },
  waitingLinks: [],
  programIds: [],
});

/** The strongest evidence first: the named click, then the newest. */
function rank({ conversion, clicks, terms }: Known): Candidate[] {
  return clicks
    .map((click) => ({ click, standing: standingOf(conversion, click, terms), isNamed: click.clickId === conversion.clickId }))
    .sort((a, b) => Number(b.isNamed) - Number(a.isNamed) || newestFirst(a.click, b.click));
}

function verdictOf(
  { conversion, settled }: Known,
  ranked: readonly Candidate[],
  winner: Candidate | undefined,
): Pick<Content, 'outcome' | 'reason'> {
  if (winner)
    return winner.standing.kind === 'eligible'
      ? { outcome: 'attributed', reason: 'credited' }
      : { outcome: 'pending', reason: 'awaiting_catalog' };
  const reasons = ranked.map(reasonOf);
  if (reasons.length === 0) {
    if (!settled) return { outcome: 'pending', reason: 'awaiting_touch' };
    return { outcome: 'unattributed', reason: conversion.droppedEvidence.includes('click_forged') ? 'click_forged' : 'no_touch' };
  }
  const named = ranked.find((candidate) => candidate.isNamed);
  return {
    outcome: 'unattributed',
    reason: named ? reasonOf(named) : (REASONS_BY_CLOSENESS.find((reason) => reasons.includes(reason)) ?? 'no_touch'),
  };
}

/** Why a click that is not eligible is not. */
const reasonOf = ({ standing }: Candidate): AttributionReason => (standing.kind === 'ineligible' ? standing.reason : 'program_unknown');

function creditOf(conversion: Conversion, { click, isNamed }: Candidate): Credit {
  const place = placeOf(click);
  if (!place) throw new Error(`click ${click.clickId} was credited without a link`);
  const isCustomers = conversion.customerId !== null && click.customerIds.includes(conversion.customerId);
  return {
    clickId: click.clickId,
    linkId: place.linkId,
    programId: place.programId,
    partnerId: place.partnerId,
    shareNumerator: 1,
    shareDenominator: 1,
    evidence: isNamed ? 'click_id' : isCustomers ? 'customer_id' : 'identity',
    occurredAt: new Date(click.occurredAtMs).toISOString(),
    recorded: click.record !== null,
    subIds: click.record?.subIds ?? {},
    network: click.record?.network ?? null,
    addressHash: click.record?.addressHash ?? null,
    country: click.record?.country ?? null,
  };
}

/** The newest losers. While the answer is pending, a click that may still win is not among them. */
function lostOf(ranked: readonly Candidate[], credited: Candidate | undefined, settled: boolean): LostCandidate[] {
  const beaten: AttributionReason = credited?.isNamed ? 'named_click_won' : 'later_touch_won';
  return ranked
    .filter((candidate) => candidate !== credited && (credited || settled || candidate.standing.kind === 'ineligible'))
    .sort((a, b) => newestFirst(a.click, b.click))
    .slice(0, LOST_MAX)
    .map((candidate) => ({
      clickId: candidate.click.clickId,
      partnerId: placeOf(candidate.click)?.partnerId ?? null,
      reason: candidate.standing.kind === 'eligible' ? beaten : reasonOf(candidate),
    }));
}

function describe({ conversion, reversals }: Known): Content['conversion'] {
  const net = netOf(conversion, reversals);
  return {
    externalId: conversion.externalId,
    receiptId: conversion.receiptId,
    type: conversion.type,
    amountMinor: conversion.amountMinor,
    netAmountMinor: net.netAmountMinor,
    currency: conversion.currency,
    occurredAt: new Date(conversion.occurredAtMs).toISOString(),
    test: conversion.test,
    reversals: net.reversals,
    droppedEvidence: [...conversion.droppedEvidence],
  };
}

const newestFirst = (a: Click, b: Click): number =>
  b.occurredAtMs - a.occurredAtMs || (a.clickId < b.clickId ? 1 : a.clickId > b.clickId ? -1 : 0);
const distinct = <T>(values: readonly T[]): T[] => [...new Set(values)];
