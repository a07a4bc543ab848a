import { Problem } from '@baton/platform';
import type { Told } from '../intake';
import type { Posted } from '../posted';
import { credentialIn, type Door, type DoorAnswer, type DoorRequest, type DoorRoute, type DoorSettings } from './door';
import { currencyOf, derivedId, detailIn, idOf, instantOf, isLateRepeat, lineOf, metadataOf, said, wrong } from './words';

/**
 * Settings: `original_key_in`, where a negative transaction names the sale that it takes back: `key`, or `metadata.<name>`
 * (default `metadata.original_key`).
 */
const ORIGINAL_KEY_IN = 'metadata.original_key';
const METADATA_MAX = 25;
const CUSTOMER = ['customer_key', 'customer_external_key', 'customer_email'] as const;
const NAMES = {
  external_id: 'key',
  reversal_id: 'key',
  click_id: 'xid',
  customer_id: 'customer_key',
  amount_minor: 'amount',
  occurred_at: 'created_at',
};

const keyOf = ({ headers }: DoorRequest): string | null => credentialIn(headers['authorization'], 'password');
const refuse = (problem: Problem): DoorAnswer => envelope(problem.status, detailIn(problem, NAMES), null);

const signup: DoorRoute = {
  method: 'POST',
  path: '/conversion/xid',
  scope: 'conversions:write',
  keyOf,
  read: readSignup,
  answer: ([told]) => (told?.kind === 'rejected' ? refuse(told.problem) : { status: 200 }),
  refuse,
};

const transaction: DoorRoute = {
  method: 'POST',
  path: '/api/v2/transactions',
  scope: 'conversions:write',
  keyOf,
  read: readTransaction,
  answer: answerTransaction,
  refuse,
};

export const door: Door = {
  name: 'partnerstack',
  speaks: 'PartnerStack’s server-to-server conversions and its transactions; no customers, partnerships, actions or reports.',
  settings: {
    original_key_in: { is: 'text', like: /^(?:key|metadata\.[^.\u0000]{1,64})$/, help: 'key, or metadata.<name>' },
  },
  routes: [signup, transaction],
};

function readSignup(request: DoorRequest): Posted[] {
  const body = request.json();
  for (const field of ['xid', 'customer_key']) if (said(body[field]) === null) throw wrong(field, 'is required');
  const { xid, customer_key, email, provider_key, origin, external_type } = body;
  return [
    {
      kind: 'conversion',
      body: {
        type: 'signup',
        external_id: idOf('customer', customer_key),
        click_id: xid,
        customer_id: customer_key,
        // Its senders are invited to put something anonymous here: what is no address names nobody.
        email: typeof email === 'string' && email.includes('@') ? email : null,
        sub_ids: subIdsOf(body['sub_ids']),
        metadata: metadataOf({ provider_key, origin, external_type, ...objectIn(body, 'meta') }),
      },
    },
  ];
}

/** As they stand in a partner's link: `sid`, or `sid1` to `sidN`. */
function subIdsOf(value: unknown): Record<string, unknown> | undefined {
  if (value === undefined || value === null) return undefined;
  if (!Array.isArray(value)) throw wrong('sub_ids', 'must be a list of texts');
  return Object.fromEntries(value.map((one: unknown, i) => [value.length === 1 ? 'sid' : `sid${i + 1}`, one]));
}

function objectIn(body: Record<string, unknown>, field: string): object {
  const value = body[field] ?? {};
  if (typeof value !== 'object' || Array.isArray(value)) throw wrong(field, 'must be an object');
  if (Object.keys(value).length > METADATA_MAX) throw wrong(field, `must have at most ${METADATA_MAX} entries`);
  return value;
}

function readTransaction(request: DoorRequest, settings: DoorSettings): Posted[] {
  const body = request.json();
  const metadata = objectIn(body, 'metadata');
  const named = CUSTOMER.filter((field) => said(body[field]) !== null);
  if (named.length !== 1)
    throw wrong(CUSTOMER.join(', '), `are three ways to name the customer: send exactly one (${named.join(', ') || 'none'} was sent)`);
  const { amount } = body;
  const derived = derivedId('partnerstack', request, body);
  const shared = { currency: currencyOf(body['currency']), occurred_at: instantOf(body['created_at'], 'created_at') };
  const test = body['test'] === true;
  if (typeof amount === 'number' && amount < 0) {
    const original = originalOf({ ...body, metadata }, settings);
    // Where the key names the sale, it is no name of the refund.
    const own = original === body['key'] ? null : said(body['key']);
    return [{ kind: 'reversal', test, body: { external_id: original, reversal_id: own ?? derived, amount_minor: -amount, ...shared } }];
  }
  return [
    {
      kind: 'conversion',
      test,
      body: {
        type: 'sale',
        external_id: said(body['key']) ?? derived,
        customer_id: said(body['customer_key']) ?? said(body['customer_external_key']),
        email: said(body['customer_email']),
        amount_minor: amount,
        line_items: lineOf(body['product_key'], body['category_key'], amount),
        metadata: metadataOf(metadata),
        ...shared,
      },
    },
  ];
}

/** A refund that names no sale would be taken and change nothing, so it is refused at once. */
function originalOf(body: Record<string, unknown> & { readonly metadata: object }, settings: DoorSettings): unknown {
  const place = typeof settings['original_key_in'] === 'string' ? settings['original_key_in'] : ORIGINAL_KEY_IN;
  const found = place === 'key' ? body['key'] : (body.metadata as Record<string, unknown>)[place.replace(/^metadata\./, '')];
  if (said(found) !== null) return found;
  throw wrong(place, 'is missing: a negative amount takes back a sale, so name the key of that sale there');
}

function answerTransaction([told]: readonly Told[], request: DoorRequest): DoorAnswer {
  if (!told || told.kind === 'rejected') return refuse(told?.problem ?? new Problem('internal'));
  const body = request.json();
  if (said(body['created_at']) === null && isLateRepeat('partnerstack', told, request))
    return envelope(
      409,
      `The same transaction was taken at ${String(told.answer['received_at'])}. If this is another one, give it a key or its created_at.`,
      null,
    );
  return envelope(200, 'Transaction created', dataOf(body, told.answer));
}

function dataOf(body: Record<string, unknown>, answer: Readonly<Record<string, unknown>>): object {
  return {
    key: answer['reversal_id'] ?? answer['external_id'],
    amount: body['amount'],
    currency: currencyOf(body['currency']),
    ...Object.fromEntries(CUSTOMER.map((field) => [field, said(body[field])])),
    product_key: said(body['product_key']),
    category_key: said(body['category_key']),
    metadata: body['metadata'] ?? {},
    created_at: Date.parse(String(answer['occurred_at'])),
    test: answer['test'],
  };
}

const envelope = (status: number, message: string, data: object | null): DoorAnswer => ({ status, body: { data, message, status } });
