import type { ConversionType } from '@baton/contracts';

/** A conversion as attribution knows it. Times are milliseconds since 1970, amounts are minor units. */
export interface Conversion {
  readonly conversionId: string;
  readonly externalId: string;
  readonly receiptId: string;
  readonly programId: string | null;
  readonly type: ConversionType;
  readonly amountMinor: number;
  readonly currency: string;
  readonly occurredAtMs: number;
  readonly test: boolean;
  /** Verified; a forged one is null here and named in `droppedEvidence`. */
  readonly clickId: string | null;
  readonly customerId: string | null;
  readonly droppedEvidence: readonly string[];
  /** Worth nothing until a verification names it. */
  readonly pendingVerification: boolean;
}

/** Money that was taken back. `amountMinor` null: all that is left. */
export interface Reversal {
  readonly reversalId: string;
  readonly amountMinor: number | null;
  readonly currency: string | null;
  readonly occurredAtMs: number;
  readonly test: boolean;
}

/** Somebody vouched that a pending conversion is one. */
export interface Verification {
  readonly test: boolean;
}

/** Where a link leads the credit to. */
export interface LinkPlace {
  readonly linkId: string;
  readonly programId: string;
  readonly partnerId: string;
}

/** What the click's record adds to its signed id. */
export interface ClickRecord extends LinkPlace {
  readonly bot: boolean;
  readonly prefetch: boolean;
  readonly subIds: Readonly<Record<string, string>>;
  readonly network: string | null;
  readonly addressHash: string | null;
  readonly country: string | null;
}

/** A click of the person: recorded, or known from its signed id alone. */
export interface Click {
  readonly clickId: string;
  readonly linkNumber: number;
  readonly occurredAtMs: number;
  /** Customers whom a single fact named together with this click. */
  readonly customerIds: readonly string[];
  readonly record: ClickRecord | null;
  /** The catalog's link of that number; null while it is not known here. A record needs none. */
  readonly link: LinkPlace | null;
}

/** The terms of one program that were in force when the conversion happened. */
export interface Terms {
  readonly version: number;
  readonly windowMs: number;
  readonly clockSkewMs: number;
}

export const placeOf = (click: Click): LinkPlace | null => click.record ?? click.link;
