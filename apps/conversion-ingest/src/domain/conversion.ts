import { type ConversionReceivedData, type ConversionType, type LineItem, nameId, type ReasonCode } from '@baton/contracts';
import { type ConversionClaim, type Reception, type Refusal, type Unreadable, unreadable } from './claim';
import { type ClickEvidence, clickEvidence } from './click';
import { isCurrency } from './currency';
import { isMinor, present, said, timing } from './fields';
import { fingerprint } from './fingerprint';
import { instantText } from './instant';

/** `POST /v1/conversions` after its shape was checked; amounts and currency are checked here, because they have reason codes of their own. */
export interface ConversionAsked {
  readonly external_id: string;
  readonly program_id?: string | null;
  readonly type?: ConversionType | null;
  readonly order_id?: string | null;
  readonly event?: string | null;
  readonly amount_minor?: unknown;
  readonly currency?: unknown;
  readonly pending_verification?: boolean | null;
  readonly quantity?: number | null;
  readonly line_items?: readonly LineItemAsked[] | null;
  readonly occurred_at?: string | null;
  readonly click_id?: string | null;
  readonly customer_id?: string | null;
  /** Already hashed. */
  readonly emailHash: string | null;
  readonly visitor_id?: string | null;
  readonly coupon_code?: string | null;
  readonly referral_code?: string | null;
  readonly sub_ids?: Record<string, string> | null;
  readonly metadata?: Record<string, string> | null;
}

export interface LineItemAsked {
  readonly sku?: string | null;
  readonly category?: string | null;
  readonly quantity?: number | null;
  readonly amount_minor?: unknown;
}

/** An order is one conversion of its tenant, whatever the door it came through. */
export const conversionIdOf = (tenantId: string, externalId: string): string => nameId('conversion', tenantId, externalId);

export function claimConversion(asked: ConversionAsked, reception: Reception): ConversionClaim | Unreadable {
  const money = readMoney(asked);
  if ('kind' in money) return money;
  if (asked.pending_verification && asked.type !== 'signup' && asked.type !== 'lead')
    return unreadable(
      'malformed',
      'pending_verification is for the types signup and lead; a sale counts when it is told.',
      'pending_verification',
    );
  const time = timing(asked.occurred_at, reception.receivedAtMs);
  if ('kind' in time) return time;
  const names = namesOf(asked);
  const believedBesideClick = [names.customerId, names.emailHash, names.couponCode, names.referralCode].some((name) => name !== null);
  if (names.clickId === null && !believedBesideClick)
    return unreadable('evidence_missing', 'Name at least one of click_id, customer_id, email, coupon_code, referral_code.');
  const click = clickEvidence(reception.clickIdKeys, reception.tenantId, names.clickId);
  const refusal: Refusal | null = click.disbelief && !believedBesideClick ? { code: click.disbelief, field: 'click_id' } : time.refusal;
  const data = dataOf({ asked, reception, money, names, click, occurredAtMs: time.occurredAtMs });
  return {
    kind: 'conversion',
    tenantId: reception.tenantId,
    door: reception.door,
    factId: data.conversionId,
    receiptId: reception.receiptId,
    bodyHash: fingerprint('conversion', bodyOf(asked, money, names, reception.test, time.sent ? time.occurredAtMs : null)),
    coreHash: fingerprint('conversion core', {
      amountMinor: money.amountMinor,
      currency: money.currency,
      externalId: asked.external_id,
      test: reception.test,
    }),
    externalId: data.externalId,
    orderId: data.orderId ?? null,
    receivedAt: data.receivedAt,
    droppedEvidence: data.droppedEvidence as ReasonCode[],
    test: reception.test,
    refusal,
    data,
    linkNumber: click.linkNumber,
    clickedAtMs: click.occurredAtMs,
    onlyClick: !believedBesideClick,
    keyProgramId: reception.keyProgramId,
  };
}

interface Money {
  readonly amountMinor: number;
  readonly currency: string;
  readonly lineItems: LineItem[] | null;
}

/** ISO 4217 for "no currency is involved". */
const NO_CURRENCY = 'XXX';
const isAbsent = (value: unknown): boolean => value === undefined || value === null;

function readMoney({ type, amount_minor, currency, line_items }: ConversionAsked): Money | Unreadable {
  // Who signs up or shows interest has paid nothing: both are left out, or neither.
  if ((type === 'lead' || type === 'signup' || type === 'custom') && isAbsent(amount_minor) && isAbsent(currency) && !line_items?.length)
    return { amountMinor: 0, currency: NO_CURRENCY, lineItems: null };
  if (!isMinor(amount_minor, 0)) return unreadable('amount_invalid', undefined, 'amount_minor');
  if (!isCurrency(currency)) return unreadable('currency_unknown', undefined, 'currency');
  const bad = (line_items ?? []).findIndex((item) => !isMinor(item.amount_minor, 0));
  if (bad >= 0) return unreadable('amount_invalid', undefined, `line_items[${bad}].amount_minor`);
  const lineItems = line_items?.map(
    ({ sku, category, quantity, amount_minor: amountMinor }) =>
      present({ amountMinor: amountMinor as number, category: said(category), quantity: quantity ?? 1, sku: said(sku) }) as LineItem,
  );
  return { amountMinor: amount_minor, currency, lineItems: lineItems && lineItems.length > 0 ? lineItems : null };
}

interface Names {
  readonly clickId: string | null;
  readonly customerId: string | null;
  readonly emailHash: string | null;
  readonly visitorId: string | null;
  readonly couponCode: string | null;
  readonly referralCode: string | null;
}

const namesOf = (asked: ConversionAsked): Names => ({
  clickId: said(asked.click_id),
  customerId: said(asked.customer_id),
  emailHash: asked.emailHash,
  visitorId: said(asked.visitor_id),
  couponCode: said(asked.coupon_code),
  referralCode: said(asked.referral_code),
});

interface Parts {
  readonly asked: ConversionAsked;
  readonly reception: Reception;
  readonly money: Money;
  readonly names: Names;
  readonly click: ClickEvidence;
  readonly occurredAtMs: number;
}

/** What is absent is undefined, not left out: objects of one shape are read and written several times as fast. */
const dataOf = ({ asked, reception, money, names, click, occurredAtMs }: Parts): ConversionReceivedData => ({
  tenantId: reception.tenantId,
  conversionId: conversionIdOf(reception.tenantId, asked.external_id),
  externalId: asked.external_id,
  programId: said(asked.program_id) ?? undefined,
  type: asked.type ?? 'sale',
  amountMinor: money.amountMinor,
  currency: money.currency,
  lineItems: money.lineItems ?? undefined,
  quantity: asked.quantity ?? undefined,
  orderId: said(asked.order_id) ?? undefined,
  event: said(asked.event) ?? undefined,
  pendingVerification: asked.pending_verification || undefined,
  occurredAt: instantText(occurredAtMs),
  receivedAt: instantText(reception.receivedAtMs),
  receiptId: reception.receiptId,
  clickId: click.clickId ?? undefined,
  customerId: names.customerId ?? undefined,
  emailHash: names.emailHash ?? undefined,
  visitorId: names.visitorId ?? undefined,
  couponCode: names.couponCode ?? undefined,
  referralCode: names.referralCode ?? undefined,
  subIds: asked.sub_ids ?? {},
  metadata: asked.metadata ?? {},
  droppedEvidence: click.disbelief ? [click.disbelief] : [],
  test: reception.test,
});

/** What the caller said, normalised: the click id as it was sent, the program only where it was named. In the order of the alphabet, as it is hashed. */
const bodyOf = (asked: ConversionAsked, money: Money, names: Names, test: boolean, occurredAtMs: number | null): object => ({
  amountMinor: money.amountMinor,
  clickId: names.clickId,
  couponCode: names.couponCode,
  currency: money.currency,
  customerId: names.customerId,
  emailHash: names.emailHash,
  event: said(asked.event),
  externalId: asked.external_id,
  lineItems: money.lineItems,
  metadata: asked.metadata,
  occurredAtMs,
  orderId: said(asked.order_id),
  pendingVerification: asked.pending_verification || null,
  programId: said(asked.program_id),
  quantity: asked.quantity,
  referralCode: names.referralCode,
  subIds: asked.sub_ids,
  test,
  type: asked.type ?? 'sale',
  visitorId: names.visitorId,
});
