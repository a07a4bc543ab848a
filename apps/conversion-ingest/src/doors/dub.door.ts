import type { ReasonCode } from '@baton/contracts';
import { Problem } from '@baton/platform';
import type { Told } from '../intake';
import type { Posted } from '../posted';
import { credentialIn, type Door, type DoorAnswer, type DoorRequest, type DoorRoute } from './door';
import { currencyOf, derivedId, detailIn, idOf, isLateRepeat, metadataOf, said, wrong } from './words';

const NAMES = {
  external_id: 'invoiceId',
  click_id: 'clickId',
  customer_id: 'customerExternalId',
  email: 'customerEmail',
  amount_minor: 'amount',
  event: 'eventName',
  quantity: 'eventQuantity',
};
/** Nobody can be credited: Dub answers such a sale with 200 and nulls, since a shop's checkout can do nothing about it. Our headers and the receipt say why. */
const UNMATCHED: ReadonlySet<ReasonCode> = new Set(['click_forged', 'click_unknown', 'outside_window', 'program_paused']);

type Body = Readonly<Record<string, unknown>>;
type Native = Pick<DoorRoute, 'read' | 'answer'>;

const lead: Native = {
  read: (request) => [readLead(request)],
  answer: ([told], request) => {
    // Who became a lead already stays one, whatever the rest of the repeat says: Dub takes each event of a customer once.
    if (told?.kind === 'rejected' && told.problem.code !== 'conflict') return refuse(told.problem);
    return { status: 200, body: leadOf(request.json()) };
  },
};

const sale: Native = { read: (request) => [readSale(request)], answer: ([told], request) => answerSale(told, request) };

/** Under the root, as the SDK joins it to its server URL, and under `/api`, as it lies on Dub's own host. */
const routesOf = (path: string, native: Native): DoorRoute[] =>
  ['', '/api'].map((prefix) => ({
    method: 'POST',
    path: `${prefix}${path}`,
    scope: 'conversions:write',
    keyOf: ({ headers }) => credentialIn(headers['authorization'], 'user'),
    refuse,
    ...native,
  }));

export const door: Door = {
  name: 'dub',
  speaks: 'Dub’s conversions: leads and sales as its SDKs send them; no links, analytics, customers or publishable keys.',
  routes: [...routesOf('/track/lead', lead), ...routesOf('/track/sale', sale)],
};

/** Also by the two names that older clients have for it. */
function customerOf(body: Body): unknown {
  const found = said(body['customerExternalId']) ?? said(body['externalId']) ?? said(body['customerId']);
  if (found === null) throw wrong('customerExternalId', 'is required');
  return found;
}

function eventOf(body: Body, otherwise?: string): unknown {
  const found = said(body['eventName']) ?? otherwise ?? null;
  if (found === null) throw wrong('eventName', 'is required');
  return found;
}

function readLead(request: DoorRequest): Posted {
  const body = request.json();
  const customer = customerOf(body);
  const person = { click_id: body['clickId'], customer_id: customer, email: body['customerEmail'] };
  const mode = said(body['mode']) ?? 'async';
  if (mode !== 'async' && mode !== 'wait' && mode !== 'deferred') throw wrong('mode', 'must be async, wait or deferred');
  // The lead itself comes later, without a click: that this customer made this click is all that is said now.
  if (mode === 'deferred') return { kind: 'identity', body: person };
  const event = eventOf(body);
  return {
    kind: 'conversion',
    body: {
      ...person,
      type: 'lead',
      external_id: idOf('lead', typeof customer === 'string' ? `${customer}:${eventId(event)}` : customer),
      event,
      quantity: body['eventQuantity'],
      metadata: metadataOf(body['metadata']),
    },
  };
}

/** Without a colon, so that where a customer ends and his event begins is never in doubt. */
const eventId = (event: unknown): string => String(event).trim().toLowerCase().replaceAll(':', '%3A');

const leadOf = (body: Body): object => ({
  click: { id: said(body['clickId']) ?? '' },
  link: null,
  customer: personOf(body),
});

const personOf = (body: Body): object => ({
  name: said(body['customerName']),
  email: said(body['customerEmail']),
  avatar: said(body['customerAvatar']),
  externalId: customerOf(body),
});

/** What Dub fills in where its clients say nothing. */
const saleOf = (body: Body) => ({
  amount: body['amount'],
  currency: said(body['currency']) ?? 'usd',
  paymentProcessor: said(body['paymentProcessor']) ?? 'custom',
  invoiceId: said(body['invoiceId']),
  metadata: body['metadata'] ?? null,
});

function readSale(request: DoorRequest): Posted {
  const body = request.json();
  const customer = customerOf(body);
  const event = eventOf(body, 'Purchase');
  const { amount, currency, paymentProcessor, invoiceId, metadata } = saleOf(body);
  const named = { payment_processor: paymentProcessor, lead_event_name: said(body['leadEventName']) };
  return {
    kind: 'conversion',
    body: {
      type: 'sale',
      external_id:
        invoiceId ?? derivedId('dub', request, { customer, amount, currency: currencyOf(currency), event, paymentProcessor, metadata }),
      event,
      click_id: body['clickId'],
      customer_id: customer,
      email: body['customerEmail'],
      amount_minor: amount,
      currency: currencyOf(currency),
      metadata: metadataOf({ ...named, ...metadataOf(metadata) }),
    },
  };
}

function answerSale(told: Told | undefined, request: DoorRequest): DoorAnswer {
  const body = request.json();
  const eventName = eventOf(body, 'Purchase');
  if (!told || told.kind === 'rejected') {
    const problem = told?.problem ?? new Problem('internal');
    return UNMATCHED.has(problem.code) ? { status: 200, body: { eventName, customer: null, sale: null } } : refuse(problem);
  }
  if (isLateRepeat('dub', told, request))
    return refuse(
      new Problem(
        'conflict',
        `The same sale was taken at ${String(told.answer['received_at'])}. If this is another one, give it an invoiceId, or send an Idempotency-Key.`,
      ),
    );
  return { status: 200, body: { eventName, customer: { id: customerOf(body), ...personOf(body) }, sale: saleOf(body) } };
}

const CODES: Readonly<Record<number, string>> = {
  400: 'bad_request',
  401: 'unauthorized',
  403: 'forbidden',
  404: 'not_found',
  409: 'conflict',
  422: 'unprocessable_entity',
  429: 'rate_limit_exceeded',
};

function refuse(problem: Problem): DoorAnswer {
  const status = statusOf(problem);
  const code = CODES[status] ?? (status < 500 ? 'bad_request' : 'internal_server_error');
  return { status, body: { error: { code, message: detailIn(problem, NAMES), doc_url: `urn:baton:problem:${problem.code}` } } };
}

/** Dub tells a body that is no JSON (400) from one whose fields are wrong (422), and has no click like this at 404. */
function statusOf({ code, status, more }: Problem): number {
  if (code === 'malformed' && more.errors) return 422;
  return code === 'click_forged' || code === 'click_unknown' ? 404 : status;
}
