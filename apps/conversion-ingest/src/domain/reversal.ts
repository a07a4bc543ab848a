import { nameId, type ReversalReceivedData } from '@baton/contracts';
import { type Reception, type ReversalClaim, type Unreadable, unreadable } from './claim';
import { conversionIdOf } from './conversion';
import { isCurrency } from './currency';
import { isMinor, present, said, timing } from './fields';
import { fingerprint } from './fingerprint';
import { instantText } from './instant';

/** `POST /v1/reversals` after its shape was checked. */
export interface ReversalAsked {
  readonly external_id: string;
  readonly reversal_id?: string | null;
  /** Absent: all that is left. */
  readonly amount_minor?: unknown;
  readonly currency?: unknown;
  readonly reason?: string | null;
  readonly occurred_at?: string | null;
}

/** A whole reversal without an id of its own has one part fewer, so that no caller's id can collide with it. */
export const reversalIdOf = (tenantId: string, externalId: string, reversalId: string | null): string =>
  reversalId === null ? nameId('reversal', tenantId, externalId) : nameId('reversal', tenantId, externalId, reversalId);

export function claimReversal(asked: ReversalAsked, reception: Reception): ReversalClaim | Unreadable {
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
  const stated = { externalId: asked.external_id, externalReversalId, amountMinor, currency, reason: said(asked.reason) };
  const data = present({
    tenantId: reception.tenantId,
    reversalId: reversalIdOf(reception.tenantId, asked.external_id, externalReversalId),
    ...stated,
    occurredAt: instantText(time.occurredAtMs),
    receivedAt: instantText(reception.receivedAtMs),
    receiptId: reception.receiptId,
    test: reception.test,
  }) as ReversalReceivedData;
  return {
    kind: 'reversal',
    tenantId: reception.tenantId,
    door: reception.door,
    factId: data.reversalId,
    receiptId: reception.receiptId,
    bodyHash: fingerprint('reversal', { ...stated, occurredAtMs: time.sent ? time.occurredAtMs : null, test: reception.test }),
    coreHash: fingerprint('reversal core', { ...stated, reason: null, test: reception.test }),
    externalId: asked.external_id,
    orderId: null,
    receivedAt: data.receivedAt,
    droppedEvidence: [],
    test: reception.test,
    refusal: time.refusal,
    data,
    conversionId: conversionIdOf(reception.tenantId, asked.external_id),
  };
}
