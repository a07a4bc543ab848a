import { nameId } from '@baton/contracts';
import { Problem } from '@baton/platform';
import type { Posted } from '../../posted';
import type { DoorKnown, DoorSettings } from '../door';
import { isObject } from '../shape';
import { at, firstAt, type Mapping, mappingOf } from './mapping';
import { minorOf } from './money';

export type Message = Readonly<Record<string, unknown>>;

/** What a message is read with. */
export interface Reading {
  readonly settings: DoorSettings;
  readonly known: DoorKnown;
  readonly receivedAtMs: number;
  /** When the sender's clock sent it, as it says. */
  readonly sentAt: unknown;
}

export const MESSAGE_MAX_BYTES = 32 * 1024;

/** The facts of one message; none where it is of no meaning here. Throws a `Problem` for what is no message. */
export function factsOf(message: unknown, reading: Reading): Posted[] {
  if (!isObject(message)) throw new Problem('malformed', 'A message must be a JSON object.');
  const bytes = Buffer.byteLength(JSON.stringify(message));
  if (bytes > MESSAGE_MAX_BYTES) throw new Problem('too_large', `A message has ${bytes} bytes; at most ${MESSAGE_MAX_BYTES} are taken.`);
  const { type } = message;
  if (textOf(message['userId']) === null && textOf(message['anonymousId']) === null)
    throw new Problem('malformed', 'A message names userId or anonymousId.');
  if (type === 'track') return track(message, reading);
  if (type === 'identify') return reading.settings['identify'] === false ? [] : identity(personOf(message, reading), message, reading);
  if (type === 'alias')
    return identity({ customer_id: textOf(message['userId']), visitor_id: shortOf(message['previousId']) }, message, reading);
  if (type === 'page') return reading.settings['pages'] === false ? [] : page(message, reading);
  if (type === 'screen' || type === 'group') return [];
  throw new Problem('malformed', 'The type of a message is track, identify, page, screen, group or alias.');
}

/** Of each of several: a bad one is refused by itself. */
export function factsOfEach(messages: readonly unknown[], reading: Reading): Posted[] {
  return messages.flatMap((message): Posted[] => {
    try {
      return factsOf(message, reading);
    } catch (error) {
      if (error instanceof Problem) return [{ kind: 'conversion', body: null, problem: error }];
      throw error;
    }
  });
}

function track(message: Message, reading: Reading): Posted[] {
  const mapping = mappingOf(message['event'], reading.settings);
  if (!mapping) return [];
  const named = withMessageId(message);
  return [mapping.as === 'reversal' ? reversal(named, mapping, reading) : conversion(named, mapping, mapping.as, reading)];
}

function conversion(message: Message, mapping: Mapping, type: string, reading: Reading): Posted {
  const currency = currencyOf(message, mapping, reading.settings);
  const amount = firstAt(message, mapping.amount);
  return {
    kind: 'conversion',
    body: {
      ...personOf(message, reading),
      ...(amount === undefined ? {} : { amount_minor: minorOf(amount, currency), currency }),
      external_id: textOf(firstAt(message, mapping.external_id)) ?? undefined,
      order_id: textOf(firstAt(message, mapping.order_id)),
      coupon_code: textOf(firstAt(message, mapping.coupon)),
      program_id: reading.settings['program_id'],
      type,
      event: textOf(message['event'])?.slice(0, 128),
      occurred_at: instantOf(message, reading),
      metadata: { message_id: String(message['messageId']).slice(0, 500) },
    },
  };
}

/** With an amount it takes back so much, else all. A refund's amount has a minus with some senders. */
function reversal(message: Message, mapping: Mapping, reading: Reading): Posted {
  const currency = currencyOf(message, mapping, reading.settings);
  const amount = firstAt(message, mapping.amount);
  const minor = minorOf(amount, currency);
  const money = { amount_minor: typeof minor === 'number' ? Math.abs(minor) : minor, currency };
  return {
    kind: 'reversal',
    body: {
      external_id: textOf(firstAt(message, mapping.external_id)) ?? undefined,
      ...(amount === undefined ? {} : { ...money, reversal_id: textOf(firstAt(message, mapping.reversal_id)) }),
      reason: textOf(message['event'])?.slice(0, 200),
      occurred_at: instantOf(message, reading),
    },
  };
}

function currencyOf(message: Message, mapping: Mapping, settings: DoorSettings): unknown {
  const found = firstAt(message, mapping.currency);
  return typeof found === 'string' ? found.trim().toUpperCase() : (found ?? settings['currency']);
}

interface Person {
  readonly customer_id: string | null;
  readonly visitor_id: string | null;
  readonly email?: string | null;
  readonly click_id?: string | null;
}

/** Only where it names two: one alone says nothing. */
function identity(person: Person, message: Message, reading: Reading): Posted[] {
  const named = Object.values(person).filter((value) => value !== null && value !== undefined);
  return named.length < 2 ? [] : [{ kind: 'identity', body: { ...person, occurred_at: instantOf(message, reading) } }];
}

const EMAIL = /^\s*[^\s@]+@[^\s@]+\s*$/;

function personOf(message: Message, { settings, known }: Reading): Person {
  const email = firstAt(message, ['traits.email', 'properties.email', 'context.traits.email']);
  return {
    customer_id: textOf(message['userId']),
    visitor_id: shortOf(message['anonymousId']),
    email: typeof email === 'string' && email.length <= 320 && EMAIL.test(email) ? email : null,
    click_id: clickIdIn(message, settings, known),
  };
}

const CLICK_ID = /^[A-Za-z0-9_-]{32}$/;
/** The names under which the trade hands over a click id. */
const CLICK_NAMES = [
  'click_id',
  'clickid',
  'clickId',
  'dub_id',
  'ps_xid',
  '_ef_transaction_id',
  'transaction_id',
  'irclickid',
  'aff_click_id',
  'cid',
  'tid',
];
const PLACES = ['properties', 'traits', 'context.campaign', 'context', 'context.traits'];

/** Where the settings say it lies, it is meant as one, whatever its shape; elsewhere only what has the shape of ours is. */
function clickIdIn(message: Message, settings: DoorSettings, { landingParams }: DoorKnown): string | null {
  const named = textOf(firstAt(message, (settings['click_id'] as readonly string[] | undefined) ?? []));
  if (named !== null) return named;
  const names = [...landingParams, ...CLICK_NAMES];
  const params = paramsOf(pageUrlOf(message));
  const found = [
    ...PLACES.flatMap((place) => {
      const found = at(message, place);
      return isObject(found) ? names.map((name) => found[name]) : [];
    }),
    at(message, 'context.referrer.id'),
    ...names.map((name) => params?.get(name)),
    ...(params?.values() ?? []),
  ];
  return (found.find((value) => typeof value === 'string' && CLICK_ID.test(value)) as string | undefined) ?? null;
}

const pageUrlOf = (message: Message): unknown => firstAt(message, ['context.page.url', 'properties.url']);

function paramsOf(url: unknown): URLSearchParams | null {
  return typeof url === 'string' && URL.canParse(url) ? new URL(url).searchParams : null;
}

const UTM_OF = { name: 'utm_campaign', source: 'utm_source', medium: 'utm_medium', term: 'utm_term', content: 'utm_content', id: 'utm_id' };

/** A page to which somebody came from elsewhere. Going on within the site is no touch. */
function page(message: Message, reading: Reading): Posted[] {
  const url = pageUrlOf(message);
  const referrer = firstAt(message, ['context.page.referrer', 'properties.referrer']) ?? (at(message, 'context.page') ? '' : undefined);
  const utm = Object.fromEntries(
    Object.entries(UTM_OF).flatMap(([name, ours]) => {
      const value = textOf(at(message, `context.campaign.${name}`));
      return value === null ? [] : [[ours, value.slice(0, 1024)]];
    }),
  );
  const person = personOf(message, reading);
  const cameNamed = Object.keys(utm).length > 0 || [...(paramsOf(url)?.keys() ?? [])].some((name) => name.startsWith('utm_'));
  if (!cameNamed && !isClickOf(url, person.click_id) && isWithin(url, referrer)) return [];
  const named = withMessageId(message);
  return [
    {
      kind: 'touch',
      body: {
        touch_id: String(named['messageId']).slice(0, 255),
        page: textOf(url)?.slice(0, 8192),
        referrer: typeof referrer === 'string' ? referrer.slice(0, 8192) : undefined,
        click_id: person.click_id,
        visitor_id: person.visitor_id,
        program_id: reading.settings['program_id'],
        utm,
        language: textOf(at(message, 'context.locale'))?.slice(0, 35),
        occurred_at: instantOf(message, reading),
      },
    },
  ];
}

const isClickOf = (url: unknown, clickId: string | null | undefined): boolean =>
  typeof clickId === 'string' && [...(paramsOf(url)?.values() ?? [])].includes(clickId);

const isWithin = (url: unknown, referrer: unknown): boolean =>
  typeof url === 'string' &&
  typeof referrer === 'string' &&
  URL.canParse(url) &&
  URL.canParse(referrer) &&
  new URL(url).host === new URL(referrer).host;

/** Without an id of its own a message is known by all that it says: a retry says the same. */
function withMessageId(message: Message): Message {
  const messageId = textOf(message['messageId']) ?? nameId('message', JSON.stringify({ ...message, sentAt: null }));
  return { ...message, messageId };
}

/** By a clock that is ahead of ours so much earlier; never later than now. Null: it does not say. */
function instantOf({ timestamp, originalTimestamp, sentAt: own }: Message, { receivedAtMs, sentAt }: Reading): string | null {
  const saidMs = msOf(timestamp) ?? msOf(originalTimestamp);
  if (saidMs === null) return null;
  const aheadMs = Math.max(0, (msOf(own) ?? msOf(sentAt) ?? receivedAtMs) - receivedAtMs);
  return new Date(Math.min(saidMs - aheadMs, receivedAtMs)).toISOString();
}

function msOf(value: unknown): number | null {
  const ms = typeof value === 'string' ? Date.parse(value) : typeof value === 'number' ? value : NaN;
  return Number.isFinite(ms) && Math.abs(ms) < 8.64e15 ? ms : null;
}

const textOf = (value: unknown): string | null =>
  typeof value === 'string' && value.trim() !== '' ? value : typeof value === 'number' && Number.isFinite(value) ? String(value) : null;

/** An id of a visitor is at most 64 characters; a longer one is nobody's. */
function shortOf(value: unknown): string | null {
  const found = textOf(value);
  return found !== null && found.length <= 64 ? found : null;
}
