import { CONVERSION_TYPES } from '@baton/contracts';
import type { DoorSettings } from '../door';
import { type Fields, isObject, type Shape } from '../shape';

/** What an event is, and where in its message the parts lie: dot paths, of which the first that says something counts. */
export interface Mapping {
  readonly as: (typeof CONVERSION_TYPES)[number] | 'reversal';
  readonly external_id?: readonly string[];
  readonly order_id?: readonly string[];
  readonly reversal_id?: readonly string[];
  readonly amount?: readonly string[];
  readonly currency?: readonly string[];
  readonly coupon?: readonly string[];
}

const ORDER = {
  external_id: ['properties.order_id', 'properties.orderId', 'messageId'],
  amount: ['properties.total', 'properties.revenue', 'properties.value'],
  currency: ['properties.currency'],
  coupon: ['properties.coupon', 'properties.coupon_code'],
};
const PERSON = { external_id: ['messageId'], coupon: ORDER.coupon };
const REFUND = { ...ORDER, external_id: ORDER.external_id.slice(0, 2), reversal_id: ['properties.refund_id', 'messageId'] };

/** By the name of the event, whatever its case, spaces and underscores. The first two are the e-commerce spec's. */
const USUAL: Readonly<Record<string, Mapping>> = {
  ordercompleted: { as: 'sale', ...ORDER },
  orderrefunded: { as: 'reversal', ...REFUND },
  ordercancelled: { as: 'reversal', external_id: REFUND.external_id },
  ordercanceled: { as: 'reversal', external_id: REFUND.external_id },
  signedup: { as: 'signup', ...PERSON },
  accountcreated: { as: 'signup', ...PERSON },
  lead: { as: 'lead', ...PERSON },
  leadcaptured: { as: 'lead', ...PERSON },
  leadgenerated: { as: 'lead', ...PERSON },
  generatelead: { as: 'lead', ...PERSON },
};

const plain = (name: string): string => name.toLowerCase().replace(/[^\p{L}\p{N}]/gu, '');

/** What the tenant says of an event stands over what is usual, part by part; null switches it off. Null: no fact. */
export function mappingOf(event: unknown, settings: DoorSettings): Mapping | null {
  if (typeof event !== 'string') return null;
  const name = plain(event);
  const usual = Object.hasOwn(USUAL, name) ? (USUAL[name] as Mapping) : null;
  const events = isObject(settings['events']) ? settings['events'] : {};
  const own = Object.entries(events).find(([one]) => plain(one) === name)?.[1];
  if (own === undefined) return usual;
  if (own === null) return null;
  const mapping = own as Mapping;
  return {
    ...(mapping.as === 'reversal' ? REFUND : mapping.as === 'lead' || mapping.as === 'signup' ? PERSON : ORDER),
    ...usual,
    ...mapping,
  };
}

/** What lies at a dot path; undefined where nothing does. */
export function at(message: unknown, path: string): unknown {
  let value = message;
  for (const name of path.split('.')) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, name)) return undefined;
    value = (value as Record<string, unknown>)[name];
  }
  return value;
}

/** The first of the paths that says something. */
export const firstAt = (message: unknown, paths: readonly string[] = []): unknown =>
  paths.map((path) => at(message, path)).find((value) => value !== undefined && value !== null && value !== '');

const PATHS: Shape = {
  is: 'list',
  of: { is: 'text', like: /^[^.\u0000]{1,64}(?:\.[^.\u0000]{1,64}){0,9}$/, help: 'a path such as properties.order_id' },
  max: 10,
};

export const SETTINGS: Fields = {
  program_id: { is: 'text', like: /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/, help: 'the id of a program' },
  currency: { is: 'text', like: /^[A-Z]{3}$/, help: 'an ISO 4217 code such as EUR: the currency of events that name none' },
  click_id: PATHS,
  identify: { is: 'flag' },
  pages: { is: 'flag' },
  events: {
    is: 'map',
    max: 100,
    of: {
      is: 'null or',
      of: {
        is: 'fields',
        needs: ['as'],
        of: {
          as: { is: 'one of', of: [...CONVERSION_TYPES, 'reversal'] },
          ...{ external_id: PATHS, order_id: PATHS, reversal_id: PATHS, amount: PATHS, currency: PATHS, coupon: PATHS },
        },
      },
    },
  },
};
