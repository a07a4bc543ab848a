import { nameId, type ReversalReceivedData } from '@baton/contracts';
import { type Reception, type ReversalClaim, type SelectionClaim, type Unreadable, unreadable } from './claim';
import { conversionIdOf } from './conversion';
import { isCurrency } from './currency';
import { isMinor, present, said, timing } from './fields';
import { fingerprint } from './fingerprint';
import { instantText } from './instant';
import { claimSelection, type ReturnedLine, selectionIn } from './selection';

/** `POST /v1/reversals` after its shape was checked. One selector and no more: which conversions are taken back. */
export interface ReversalAsked {
  readonly external_id?: string | null;
  readonly receipt_id?: string | null;
  readonly order_id?: string | null;
  readonly click_id?: string | null;
  /** With `click_id`: the conversion's `event`, else its `type`. */
  readonly event?: string | null;
  readonly customer_id?: string | null;
  /** Already hashed. */
  readonly emailHash?: string | null;
  readonly reversal_id?: string | null;
  /** Absent: all that is left. */
  readonly amount_minor?: unknown;
  readonly currency?: unknown;
  readonly line_items?: readonly ReturnedLine[] | null;
  readonly reason?: string | null;
  readonly occurred_at?: string | null;
  readonly confirm?: boolean | null;
  readonly dry_run?: boolean | null;
}

/** A whole reversal without an id of its own has one part fewer, so that no caller's id can collide with it. */
export const reversalIdOf = (tenantId: string, externalId: string, reversalId: string | null): string =>
  reversalId === null ? nameId('reversal', tenantId, externalId) : nameId('reversal', tenantId, externalId, reversalId);

/** What is taken back, whatever named the conversion. */
export interface Stated {
  readonly externalReversalId: string | null;
  /** Minor units; null: all that is left. */
  readonly amountMinor: number | null;
  readonly currency: string | null;
  readonly reason: string | null;
}

export function claimReversal(asked: ReversalAsked, reception: Reception): ReversalClaim | SelectionClaim | Unreadable {
  const selection = selectionIn(asked, reception);
  if ('kind' in selection) return selection;
  const amountMinor = asked.amount_minor ?? null;
  if (amountMinor !== null && !isMinor(amountMinor, 1))
    return unreadable(
      'amount_invalid',
      'Send amount_minor as a whole number of minor units, one or more; leave it out to take everything back.',
      'amount_minor',
    );
  const currency = asked.currency ?? null;
  if (currency !== null && !isCurrency(currency)) return unreadable('currency_unknown', undefined, 'currency');
  const externalReversalId = said(asked.reversal_id);
  if (amountMinor !== null && externalReversalId === null) return unreadable('reversal_id_missing', undefined, 'reversal_id');
  const time = timing(asked.occurred_at, reception.receivedAtMs);
  if ('kind' in time) return time;
  const stated = { externalReversalId, amountMinor, currency, reason: said(asked.reason) };
  const plain = selection.by === 'external_id' && !asked.line_items?.length && !asked.dry_run;
  if (!plain) return claimSelection({ asked, selection, stated, time, reception });
  const claim = reversalClaim(selection.value, stated, {
    ...reception,
    occurredAt: instantText(time.occurredAtMs),
    receivedAt: instantText(reception.receivedAtMs),
    occurredAtMs: time.sent ? time.occurredAtMs : null,
  });
  return { ...claim, refusal: time.refusal, confirmed: asked.confirm === true };
}

/** How a reversal came to us. */
export interface ReversalManner {
  readonly tenantId: string;
  readonly receiptId: string;
  readonly door: string;
  readonly test: boolean;
  readonly occurredAt: string;
  readonly receivedAt: string;
  /** In ms since 1970, where the caller said it. */
  readonly occurredAtMs: number | null;
}

/** The reversal of one conversion. `reversalId`: where it is not the one that its external ids make. */
export function reversalClaim(externalId: string, given: Stated, manner: ReversalManner, reversalId?: string): ReversalClaim {
  const stated = { externalId, ...given };
  const { tenantId, receiptId, door, test, occurredAt, receivedAt, occurredAtMs } = manner;
  const data = present({
    tenantId,
    reversalId: reversalId ?? reversalIdOf(tenantId, externalId, stated.externalReversalId),
    ...stated,
    occurredAt,
    receivedAt,
    receiptId,
    test,
  }) as ReversalReceivedData;
  return {
    kind: 'reversal',
    tenantId,
    door,
    factId: data.reversalId,
    receiptId,
    bodyHash: fingerprint('reversal', { ...stated, occurredAtMs, test }),
    coreHash: fingerprint('reversal core', { ...stated, reason: null, test }),
    externalId,
    orderId: null,
    receivedAt,
    droppedEvidence: [],
    test,
    refusal: null,
    data,
    conversionId: conversionIdOf(tenantId, externalId),
    confirmed: true,
  };
}
