import type { ReasonCode, Scope } from '@baton/contracts';
import type { Problem } from '@baton/platform';
import type { Told } from '../intake';
import type { Posted } from '../posted';
import type { Fields } from './shape';

/** A request as it came, in the words of its dialect. */
export interface DoorRequest {
  readonly method: string;
  /** Without the query. */
  readonly path: string;
  /** Of the route's pattern, such as `:endpoint`. */
  readonly params: Readonly<Record<string, string>>;
  readonly query: URLSearchParams;
  /** By names in lower case; of a repeated one the first. */
  readonly headers: Readonly<Record<string, string | undefined>>;
  /** Unpacked where it was gzip or deflate; signatures are over these bytes. */
  readonly raw: Buffer;
  /** When it was received, in ms since 1970. */
  readonly receivedAtMs: number;
  /** The body as a JSON object, whatever its content type says; a `Problem` is thrown for anything else. */
  json(): Record<string, unknown>;
  /** The body as a form. */
  form(): URLSearchParams;
}

/** A native answer. An object is sent as JSON, a text as it is. */
export interface DoorAnswer {
  readonly status: number;
  readonly body?: object | string;
  readonly headers?: Readonly<Record<string, string>>;
}

export interface DoorRoute {
  readonly method: 'GET' | 'POST' | 'PUT' | 'DELETE';
  /** As the dialect's clients call it. */
  readonly path: string;
  readonly scope: Scope;
  /** Longest body in bytes, unpacked. Absent: 64 kB. */
  readonly bodyMaxBytes?: number;
  /** The text of the Baton key, wherever the dialect puts its credential; null: there is none. Throws nothing. */
  readonly keyOf?: (request: DoorRequest) => string | null;
  /** Pure, in place of `keyOf`: whether the request to the endpoint `:endpoint` was signed under one of its secrets. Throws nothing. */
  readonly isSigned?: (request: DoorRequest, secrets: readonly string[]) => boolean;
  /** Pure: what it says, as facts in the words of our own API. None: `ignored`. Throws a `Problem` for what cannot be understood. */
  readonly read: (request: DoorRequest, settings: DoorSettings, known: DoorKnown) => readonly Posted[];
  /** Pure: what it says of conversions that it does not tell of itself. */
  readonly joins?: (request: DoorRequest, settings: DoorSettings) => Joins;
  /** Pure: the native answer to what became of each fact, in their order. */
  readonly answer: (told: readonly Told[], request: DoorRequest) => DoorAnswer;
  /** Pure: the native answer to a request that brought no fact so far: no key, unreadable, a store away. */
  readonly refuse: (problem: Problem, request: DoorRequest) => DoorAnswer;
}

/** What the tenant set for this door, by the names that the door's file documents; empty where nothing was set. */
export type DoorSettings = Readonly<Record<string, unknown>>;

/** What is known of the caller beside what he set. */
export interface DoorKnown {
  /** By a test key, or to a test endpoint. */
  readonly test: boolean;
  /** The parameters under which the tenant's programs hand over click ids. */
  readonly landingParams: readonly string[];
}

export interface Joins {
  /** Other names of conversions: what takes one back by such a name takes back the conversion, whichever was told first. */
  readonly aliases: readonly { readonly alias: string; readonly externalId: string }[];
  /** What is to be earned once more, with the evidence of the conversion that `of` names by its id or another name. */
  readonly again: readonly {
    readonly of: string;
    readonly externalId: string;
    readonly event: string;
    readonly amountMinor: number;
    readonly currency: string;
  }[];
}

/**
 * A dialect: one file `<name>.door.ts` in this folder that exports `door`. It is found by its name, so that adding one touches nothing else.
 * Its golden requests and answers lie in `fixtures/<name>.json`.
 */
export interface Door {
  readonly name: string;
  /** For people: what it speaks, and its limits. */
  readonly speaks: string;
  readonly routes: readonly DoorRoute[];
  /** What a tenant may set (and, under `keys.<id of a key or endpoint>`, set otherwise for one caller). Absent: nothing. */
  readonly settings?: Fields;
  /** Where callers sign instead of naming a key: endpoints that a tenant makes, each with secrets of its own. */
  readonly endpoints?: {
    /** With `:endpoint` in it. */
    readonly path: string;
    readonly secret: RegExp;
    /** What a secret looks like, for people. */
    readonly secretIs: string;
  };
  /**
   * The dialect says one fact in several ways (an invoice and its checkout; a retry with a fresh clock), so that equal ids and money make a
   * repeat. Absent: all of a body must be equal.
   */
  readonly isLoose?: boolean;
}

/** A Bearer or Basic credential: of Basic the given half, of Bearer all. */
export function credentialIn(authorization: string | undefined, half: 'user' | 'password'): string | null {
  const [, scheme, text] = /^(bearer|basic) +(\S+)$/i.exec(authorization ?? '') ?? [];
  if (!scheme || !text) return null;
  if (scheme.toLowerCase() === 'bearer') return text;
  const pair = Buffer.from(text, 'base64').toString('utf8');
  const colon = pair.indexOf(':');
  const found = half === 'user' ? (colon < 0 ? pair : pair.slice(0, colon)) : colon < 0 ? '' : pair.slice(colon + 1);
  return found === '' ? null : found;
}

/** Whether a caller who sends it again unchanged may succeed. */
export const isPassing = (code: ReasonCode): boolean => code === 'unavailable' || code === 'over_quota' || code === 'internal';
