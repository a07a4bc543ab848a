import type {
  ClickIdKeys,
  ConversionReceivedData,
  ConversionVerifiedData,
  IdentityLinkedData,
  ReasonCode,
  ReversalReceivedData,
} from '@baton/contracts';
import type { TakingTerms } from './selection';

/** What the edge knows of a request beside its body. */
export interface Reception {
  readonly tenantId: string;
  /** From a test-mode key. */
  readonly test: boolean;
  /** The program that the key is bound to. */
  readonly keyProgramId: string | null;
  readonly receiptId: string;
  readonly receivedAtMs: number;
  readonly clickIdKeys: ClickIdKeys;
  /** Name of the door that it came through; `api` is our own. */
  readonly door: string;
}

/** Why a request is not accepted. */
export interface Refusal {
  readonly code: ReasonCode;
  /** For people; absent: the code's own help. */
  readonly detail?: string;
  /** Path in the body, such as `line_items[2].amount_minor`. */
  readonly field?: string;
  /** What the caller needs to go on, as fields of the problem. */
  readonly extra?: Readonly<Record<string, unknown>>;
}

interface ClaimBase {
  readonly tenantId: string;
  readonly door: string;
  /** Natural key of the fact: the same order, refund or identity always has the same id. */
  readonly factId: string;
  readonly receiptId: string;
  /** Fingerprint of the body: tells a repeat from a conflict. */
  readonly bodyHash: string;
  /** Fingerprint of what no dialect leaves out (id, money, test): compared where the same fact came through another door. */
  readonly coreHash: string;
  readonly externalId: string | null;
  readonly orderId: string | null;
  readonly receivedAt: string;
  readonly droppedEvidence: readonly ReasonCode[];
  readonly test: boolean;
  /** What already speaks against it. A repeat of an accepted request is a duplicate all the same, so this is judged after the look-up. */
  readonly refusal: Refusal | null;
}

export interface ConversionClaim extends ClaimBase {
  readonly kind: 'conversion';
  /** `programId` is what the caller named; the catalog may tell it otherwise. */
  readonly data: ConversionReceivedData;
  /** The link inside the verified click id. */
  readonly linkNumber: number | null;
  /** When the click happened, in ms since 1970, as its id says; null: no click is believed. */
  readonly clickedAtMs: number | null;
  /** Nothing but the click id speaks for anybody. */
  readonly onlyClick: boolean;
  readonly keyProgramId: string | null;
}

export interface ReversalClaim extends ClaimBase {
  readonly kind: 'reversal';
  readonly data: ReversalReceivedData;
  /** The conversion that it names, received or not. */
  readonly conversionId: string;
  /** The caller knows how much it is. */
  readonly confirmed: boolean;
}

/** A reversal that names its conversions otherwise than by one external id: it makes a reversal of each, now or when they come. */
export interface SelectionClaim extends ClaimBase {
  readonly kind: 'reversals';
  readonly data: { readonly occurredAt: string };
  readonly terms: TakingTerms;
  readonly confirmed: boolean;
  /** Asks for the numbers alone. */
  readonly dryRun: boolean;
}

export interface IdentityClaim extends ClaimBase {
  readonly kind: 'identity';
  readonly data: IdentityLinkedData;
}

export interface VerificationClaim extends ClaimBase {
  readonly kind: 'verification';
  readonly data: ConversionVerifiedData;
}

/** A well-formed request, on its way to become a fact. */
export type Claim = PlainClaim | SelectionClaim;
/** One request, one fact. */
export type PlainClaim = ConversionClaim | ReversalClaim | IdentityClaim | VerificationClaim;
export type FactKind = Claim['kind'];

/** The body can be read by nobody: answered without a look-up. */
export interface Unreadable {
  readonly kind: 'unreadable';
  readonly refusal: Refusal;
}

export const unreadable = (code: ReasonCode, detail?: string, field?: string): Unreadable => ({
  kind: 'unreadable',
  refusal: { code, ...(detail ? { detail } : {}), ...(field ? { field } : {}) },
});
