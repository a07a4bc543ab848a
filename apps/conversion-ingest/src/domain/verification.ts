import { nameId } from '@baton/contracts';
import { type Reception, type Unreadable, type VerificationClaim } from './claim';
import { conversionIdOf } from './conversion';
import { timing } from './fields';
import { fingerprint } from './fingerprint';
import { instantText } from './instant';

/** `POST /v1/verifications` after its shape was checked. */
export interface VerificationAsked {
  readonly external_id: string;
  readonly occurred_at?: string | null;
}

/** One for each conversion. A test key's has an id of its own, so that it cannot stand in the way of the live one. */
export const verificationIdOf = (tenantId: string, externalId: string, test: boolean): string =>
  test ? nameId('verification', tenantId, externalId, 'test') : nameId('verification', tenantId, externalId);

/** The conversion that it names is the whole body: a later time makes a repeat, never a conflict. */
export function claimVerification(asked: VerificationAsked, reception: Reception): VerificationClaim | Unreadable {
  const time = timing(asked.occurred_at, reception.receivedAtMs);
  if ('kind' in time) return time;
  const { tenantId, test, receiptId } = reception;
  const externalId = asked.external_id;
  const bodyHash = fingerprint('verification', { externalId, test });
  const data = {
    tenantId,
    verificationId: verificationIdOf(tenantId, externalId, test),
    conversionId: conversionIdOf(tenantId, externalId),
    externalId,
    occurredAt: instantText(time.occurredAtMs),
    receivedAt: instantText(reception.receivedAtMs),
    receiptId,
    test,
  };
  return {
    kind: 'verification',
    tenantId,
    door: reception.door,
    factId: data.verificationId,
    receiptId,
    bodyHash,
    coreHash: bodyHash,
    externalId,
    orderId: null,
    receivedAt: data.receivedAt,
    droppedEvidence: [],
    test,
    refusal: time.refusal,
    data,
  };
}
