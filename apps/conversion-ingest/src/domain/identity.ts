import { type Identifier, identifierText, nameId } from '@baton/contracts';
import { type IdentityClaim, type Reception, type Unreadable, unreadable } from './claim';
import { clickEvidence } from './click';
import { said, timing } from './fields';
import { fingerprint } from './fingerprint';
import { instantText } from './instant';

/** `POST /v1/identities` after its shape was checked. */
export interface IdentityAsked {
  readonly click_id?: string | null;
  readonly customer_id?: string | null;
  /** Already hashed. */
  readonly emailHash: string | null;
  readonly visitor_id?: string | null;
  readonly occurred_at?: string | null;
}

/**
 * That these identifiers are one person says itself again at every login: the identifiers are the whole body, so a later time or a click id
 * that is not believed makes a repeat, never a conflict.
 */
export function claimIdentity(asked: IdentityAsked, reception: Reception): IdentityClaim | Unreadable {
  const time = timing(asked.occurred_at, reception.receivedAtMs);
  if ('kind' in time) return time;
  const sent = said(asked.click_id);
  const click = clickEvidence(reception.clickIdKeys, reception.tenantId, sent);
  const besideClick = identifiersOf({
    customer_id: said(asked.customer_id),
    email_hash: asked.emailHash,
    visitor_id: said(asked.visitor_id),
  });
  if (besideClick.length + (sent === null ? 0 : 1) < 2)
    return unreadable('identifiers_missing', 'Name at least two of click_id, customer_id, email, visitor_id.');
  const identifiers = [...besideClick, ...identifiersOf({ click_id: click.clickId })].sort((a, b) =>
    identifierText(a) < identifierText(b) ? -1 : 1,
  );
  const texts = identifiers.map(identifierText);
  const factId = nameId('identity', reception.tenantId, ...texts);
  return {
    kind: 'identity',
    tenantId: reception.tenantId,
    door: reception.door,
    factId,
    receiptId: reception.receiptId,
    bodyHash: fingerprint('identity', { texts }),
    coreHash: fingerprint('identity', { texts }),
    externalId: null,
    orderId: null,
    receivedAt: instantText(reception.receivedAtMs),
    droppedEvidence: click.disbelief ? [click.disbelief] : [],
    test: reception.test,
    refusal: identifiers.length < 2 ? { code: click.disbelief ?? 'click_forged', field: 'click_id' } : time.refusal,
    data: {
      tenantId: reception.tenantId,
      identityId: factId,
      identifiers,
      occurredAt: instantText(time.occurredAtMs),
      receivedAt: instantText(reception.receivedAtMs),
      receiptId: reception.receiptId,
    },
  };
}

const identifiersOf = (named: Partial<Record<Identifier['kind'], string | null>>): Identifier[] =>
  Object.entries(named).flatMap(([kind, value]) => (value === null ? [] : [{ kind: kind as Identifier['kind'], value }]));
