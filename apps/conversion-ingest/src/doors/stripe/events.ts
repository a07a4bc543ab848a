import { Problem } from '@baton/platform';
import type { Posted } from '../../posted';
import type { DoorKnown, DoorSettings, Joins } from '../door';
import { currencyIn, type Fields, idIn, inside, instantIn, minorIn, textIn, wholeIn } from './fields';

/** An event of Stripe's, as far as it matters here. */
export interface StripeEvent {
  readonly type: string;
  readonly at: string | null;
  readonly object: Fields;
  readonly before: Fields;
}

export const BILLING_REASONS = ['subscription_create', 'subscription_cycle', 'subscription_update', 'subscription_threshold', 'manual'];
const BILLING_REASONS_TAKEN = BILLING_REASONS.filter((reason) => reason !== 'manual');
/** Names in the metadata under which integrations keep a click id. */
const CLICK_NAMES = ['click_id', 'clickid', 'baton_click_id', 'dub_id', 'ps_xid', '_ef_transaction_id', 'irclickid'];
const CLICK_ID = /^[A-Za-z0-9_-]{32}$/;

type Reader = (event: StripeEvent, settings: DoorSettings, known: DoorKnown) => readonly Posted[];

/** Each of these says everything about its object that is needed, so they may come in any order, late and repeatedly. */
const READERS: Readonly<Record<string, Reader>> = {
  'checkout.session.completed': checkout,
  'checkout.session.async_payment_succeeded': checkout,
  'invoice.paid': invoice,
  'charge.refunded': chargeRefunded,
  'refund.created': refund,
  'refund.updated': refund,
  'charge.refund.updated': refund,
  'charge.dispute.created': dispute,
  'charge.dispute.funds_withdrawn': dispute,
  'charge.dispute.closed': dispute,
};

export function readEvent(body: Fields, known: DoorKnown): StripeEvent {
  const object = inside(body['data'])['object'];
  if (typeof body['type'] !== 'string' || typeof object !== 'object')
    throw new Problem('malformed', 'This is no event of Stripe’s: it has no type, or no data.object. Send snapshot events, not thin ones.');
  if (body['livemode'] === known.test)
    throw new Problem(
      'malformed',
      known.test
        ? 'This endpoint takes test events, and this is a live one. Make an endpoint with a live API key.'
        : 'This endpoint takes live events, and this is a test one. Make an endpoint with a test API key.',
    );
  return eventIn(body);
}

/** Of a body that was read before. */
export function eventIn(body: Fields): StripeEvent {
  const data = inside(body['data']);
  return {
    type: String(body['type']),
    at: instantIn(body['created']),
    object: inside(data['object']),
    before: inside(data['previous_attributes']),
  };
}

export const factsOf: Reader = (event, settings, known) =>
  Object.hasOwn(READERS, event.type) ? (READERS[event.type] as Reader)(event, settings, known) : [];

/** What an event says of conversions that other events tell of. */
export function joinsOf({ type, object }: StripeEvent, settings: DoorSettings): Joins {
  const aliases = NAMED_BY[type]?.(object) ?? [];
  const distinct = new Map(aliases.flatMap(([alias, id]) => (alias && id && alias !== id ? [[alias, id] as const] : [])));
  return {
    aliases: [...distinct].map(([alias, externalId]) => ({ alias, externalId })),
    again: isWon(type, object) && settings['disputes'] !== 'lost' ? wonAgain(object) : [],
  };
}

type Names = readonly (readonly [alias: string | null, externalId: string | null])[];
/** A refund names the payment, a subscription's conversion is its invoice: which belong together is said by several events, by their age. */
const NAMED_BY: Readonly<Record<string, (object: Fields) => Names>> = {
  'checkout.session.completed': (session) => [[idIn(session['payment_intent']), idIn(session['invoice'])]],
  'checkout.session.async_payment_succeeded': (session) => [[idIn(session['payment_intent']), idIn(session['invoice'])]],
  'invoice.paid': (paid) => [
    [idIn(paid['payment_intent']), idIn(paid)],
    [idIn(paid['charge']), idIn(paid)],
    ...listIn(inside(paid['payments'])['data']).flatMap((one) => namesOfPayment(one, idIn(paid))),
  ],
  'invoice_payment.paid': (payment) => namesOfPayment(payment, idIn(payment['invoice'])),
  'payment_intent.succeeded': (intent) => {
    const order = textIn(inside(intent['payment_details'])['order_reference']);
    return [[idIn(intent), idIn(intent['invoice']) ?? (order?.startsWith('in_') ? order : null)]];
  },
};

const listIn = (value: unknown): readonly Fields[] => (Array.isArray(value) ? value.map(inside) : []);

function namesOfPayment({ payment }: Fields, invoiceId: string | null): Names {
  const { payment_intent: intent, charge } = inside(payment);
  return [
    [idIn(intent), invoiceId],
    [idIn(charge), invoiceId],
  ];
}

function checkout({ type, at, object }: StripeEvent, settings: DoorSettings, known: DoorKnown): Posted[] {
  const person = personOf(object, idIn(object['client_reference_id']), [object['metadata']], settings, known);
  const isPaid = object['payment_status'] === 'paid' && object['mode'] !== 'setup' && object['amount_total'] !== 0;
  const named = Object.values(person).filter((value) => value !== null).length;
  // Who the customer is counts for what he pays later, too: a trial costs nothing today.
  const identity: Posted[] = named < 2 ? [] : [{ kind: 'identity', body: { ...person, occurred_at: at } }];
  if (!isPaid) return identity;
  const intent = idIn(object['payment_intent']);
  const sale: Posted = {
    kind: 'conversion',
    body: {
      ...person,
      ...moneyOf(object, 'amount_total'),
      external_id: idIn(object['invoice']) ?? intent ?? idIn(object),
      program_id: textIn(settings['program_id']),
      type: 'sale',
      event: type,
      occurred_at: at,
      metadata: present({ checkout_session: idIn(object), payment_intent: intent, subscription: idIn(object['subscription']) }),
    },
  };
  return [...identity, sale];
}

function invoice({ at, object, type }: StripeEvent, settings: DoorSettings, known: DoorKnown): Posted[] {
  const reason = textIn(object['billing_reason']) ?? 'manual';
  const taken = (settings['billing_reasons'] as readonly string[] | undefined) ?? BILLING_REASONS_TAKEN;
  if (object['amount_paid'] === 0 || !taken.includes(reason)) return [];
  const parent = inside(inside(object['parent'])['subscription_details']);
  const older = inside(object['subscription_details']);
  const person = personOf(object, null, [parent['metadata'], older['metadata'], object['metadata']], settings, known);
  const subscription = idIn(parent['subscription']) ?? idIn(object['subscription']);
  return [
    {
      kind: 'conversion',
      body: {
        ...person,
        ...moneyOf(object, 'amount_paid'),
        external_id: idIn(object),
        program_id: textIn(settings['program_id']),
        type: subscription === null || reason === 'subscription_create' ? 'sale' : 'subscription_payment',
        event: type,
        occurred_at: instantIn(inside(object['status_transitions'])['paid_at']) ?? at,
        metadata: present({ subscription, billing_reason: reason }),
      },
    },
  ];
}

/**
 * `amount_refunded` counts all refunds of the charge so far. Each event tells of one step, from the amount before it: the steps lie side by
 * side, so their sum is right in any order, and a step is named by where it ends, so a repeat is one.
 */
function chargeRefunded({ at, object, before }: StripeEvent, settings: DoorSettings): Posted[] {
  if (settings['refunds'] === 'refund' || object['captured'] === false) return [];
  const [from, to] = [wholeIn(before['amount_refunded']), wholeIn(object['amount_refunded'])];
  const id = idIn(object);
  const name = idIn(object['invoice']) ?? idIn(object['payment_intent']) ?? id;
  const taken = { external_id: name, reason: 'refund', occurred_at: at };
  if (from !== null && to !== null && to > from)
    return [{ kind: 'reversal', body: { ...taken, reversal_id: `${id}:${to}`, ...moneyOf({ ...object, amount: to - from }, 'amount') } }];
  if (object['refunded'] === true) return [{ kind: 'reversal', body: { ...taken, reversal_id: `${id}:all` } }];
  throw new Problem('malformed', 'This refund does not say what it adds: data.previous_attributes.amount_refunded is missing.');
}

/** Where the settings say that refunds are told of one by one. */
function refund({ at, object }: StripeEvent, settings: DoorSettings): Posted[] {
  if (settings['refunds'] !== 'refund' || object['status'] !== 'succeeded') return [];
  const body = { reversal_id: idIn(object), ...moneyOf(object, 'amount'), reason: textIn(object['reason']) ?? 'refund' };
  return [{ kind: 'reversal', body: { ...body, external_id: paymentOf(object), occurred_at: instantIn(object['created']) ?? at } }];
}

const paymentOf = (object: Fields): string | null => idIn(object['payment_intent']) ?? idIn(object['charge']);

/**
 * A dispute takes back what it is about as soon as it is opened, or when it is lost, by the settings. One that is won says both that it was
 * taken back and that it is earned again, so that the order in which its events arrive does not matter. An inquiry takes nothing.
 */
function dispute({ type, at, object }: StripeEvent, settings: DoorSettings): Posted[] {
  const status = String(object['status'] ?? '');
  const isLost = type === 'charge.dispute.closed' && status === 'lost';
  if (status.startsWith('warning_') || (settings['disputes'] === 'lost' && !isLost)) return [];
  const body = { external_id: paymentOf(object), reversal_id: idIn(object), ...moneyOf(object, 'amount'), reason: 'dispute' };
  return [{ kind: 'reversal', body: { ...body, occurred_at: instantIn(object['created']) ?? at } }];
}

const isWon = (type: string, { status }: Fields): boolean => type === 'charge.dispute.closed' && status === 'won';

function wonAgain(object: Fields): Joins['again'] {
  const [of, id] = [paymentOf(object), idIn(object)];
  const { amount_minor: amountMinor, currency } = moneyOf(object, 'amount');
  if (of === null || id === null || typeof amountMinor !== 'number' || typeof currency !== 'string') return [];
  return [{ of, externalId: `${id}:won`, event: 'dispute_won', amountMinor, currency }];
}

const moneyOf = (object: Fields, amount: string): { readonly amount_minor: unknown; readonly currency: unknown } => ({
  amount_minor: minorIn(object[amount], object['currency']),
  currency: currencyIn(object['currency']),
});

interface Person {
  readonly click_id: string | null;
  readonly customer_id: string | null;
  readonly email: string | null;
}

/** A reference that is no click id is the integrator's own affair; what the metadata calls a click id is meant as one. */
function personOf(
  object: Fields,
  reference: string | null,
  metadata: readonly unknown[],
  settings: DoorSettings,
  known: DoorKnown,
): Person {
  const names = [...((settings['click_metadata'] as readonly string[] | undefined) ?? []), ...known.landingParams, ...CLICK_NAMES];
  const named = metadata.flatMap((one) => names.map((name) => textIn(inside(one)[name]))).find((value) => value !== null);
  return {
    click_id: reference !== null && CLICK_ID.test(reference) ? reference : (named ?? null),
    customer_id: idIn(object['customer']),
    email: textIn(inside(object['customer_details'])['email']) ?? textIn(object['customer_email']),
  };
}

const present = (fields: Readonly<Record<string, string | null>>): Record<string, string> =>
  Object.fromEntries(Object.entries(fields).filter((entry): entry is [string, string] => entry[1] !== null));
