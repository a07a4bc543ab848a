import { type Scope, VERDICTS } from '@baton/contracts';
import { createHmac } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Account, Json } from '../ingest.world';
import type { Door, DoorRoute } from './door';
import { loadDoors } from './load';

/** For the specs: golden requests and answers of a door, as data. In texts `{{name}}` stands for what the run fills in, `{{*}}` for anything. */
export interface Fixtures {
  /** What a tenant does once before, by `{{admin}}`, a key of the catalog's scopes: settings, endpoints. */
  readonly setup?: readonly Wire[];
  readonly cases: readonly Case[];
  /** The purchase that every door can tell of, made of `{{order}}`, `{{amountMinor}}` or `{{amountMajor}}`, and EUR; absent: this door tells of none. */
  readonly purchase?: Wire;
  /** What the dialect answers to each reason that no case needs to spell out. */
  readonly refusals: Readonly<Record<string, Golden>>;
}

export interface Case {
  readonly name: string;
  /** Tried with every wrong key, packing and content type too. Each route of the door has one. */
  readonly typical?: boolean;
  /** Sent before, answered with success. */
  readonly given?: readonly Wire[];
  readonly request: Wire;
  readonly answer: Golden;
  /** All that is stored for the tenant afterwards, in order of arrival; what a fact does not name is not looked at. */
  readonly facts: readonly Json[];
  /** How many events are told; absent: one for each fact. */
  readonly events?: number;
  /** Texts that must stand in no column of what is stored. */
  readonly nowhere?: readonly string[];
  /** The tenant's only program is this; absent: active. */
  readonly program?: 'disabled';
  /** What the key may do; absent: everything. */
  readonly scopes?: readonly Scope[];
  /** The dialect itself says success though we refused; without it that is a defect. */
  readonly nativeSuccess?: boolean;
}

export interface Wire {
  readonly method: string;
  /** With the query. */
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** An object is sent as JSON. */
  readonly body?: unknown;
  /** The header that signs the body as Stripe does (`t=,v1=`), under this secret. */
  readonly signed?: { readonly header: string; readonly secret: string };
  /** Of a setup: words that its answer brings, by the names of its fields. */
  readonly keep?: Readonly<Record<string, string>>;
}

export interface Golden {
  readonly status: number;
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
}

export interface Answered {
  readonly status: number;
  readonly headers: Headers;
  /** Parsed, where it is JSON. */
  readonly body: unknown;
}

export type Words = Readonly<Record<string, unknown>>;

export const spoken = () => loadDoors().map((door) => ({ ...fixturesOf(door), name: door.name, door }));

function fixturesOf(door: Door): Fixtures {
  const path = join(__dirname, 'fixtures', `${door.name}.json`);
  if (!existsSync(path)) throw new Error(`${door.name}.door.ts has no fixtures/${door.name}.json`);
  return JSON.parse(readFileSync(path, 'utf8')) as Fixtures;
}

/** One for the whole run, so that what is sent again is the same. */
const NOW_MS = Date.now();

export const wordsOf = (account: Account, more: Words = {}): Words => ({
  key: account.key,
  secret: 'whsec_of_the_endpoint',
  click: account.click,
  program: account.program,
  now: new Date(NOW_MS).toISOString(),
  nowMs: NOW_MS,
  ...more,
});

/** Fills a fixture in. A text that is one `{{name}}` alone becomes its value; `{{base64:…}}` packs what stands in it. */
export function fill<T>(value: T, words: Words): T {
  if (typeof value === 'string') return fillText(value, words) as T;
  if (Array.isArray(value)) return value.map((one: unknown) => fill(one, words)) as T;
  if (typeof value !== 'object' || value === null || Buffer.isBuffer(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([name, one]) => [name, fill(one, words)])) as T;
}

function fillText(text: string, words: Words): unknown {
  const alone = /^\{\{(\w+)\}\}$/.exec(text)?.[1];
  if (alone && alone in words) return words[alone];
  return text
    .replace(/\{\{(\w+)\}\}/g, (whole, name: string) => (name in words ? String(words[name]) : whole))
    .replace(/\{\{base64:([^{}]*)\}\}/g, (_, plain: string) => Buffer.from(plain).toString('base64'));
}

/** The reasons for which a dialect itself says success though we refused, as its cases show. */
export const nativeSuccesses = ({ cases }: Fixtures): ReadonlySet<string> =>
  new Set(cases.flatMap(({ nativeSuccess, answer }) => (nativeSuccess ? [answer.headers?.['baton-reason'] as string] : [])));

/** Sends it, and holds the answer to what every answer must keep: nothing refused looks like a success, nothing taken like a failure. */
export async function ask(url: string, wire: Wire, words: Words, mayLookFine: ReadonlySet<string> = new Set()): Promise<Answered> {
  const answer = await send(url, fill(wire, words));
  const [verdict, reason] = ['baton-verdict', 'baton-reason'].map((name) => answer.headers.get(name) ?? '');
  const said = { wire: wire.path, status: answer.status, verdict, reason, body: answer.body };
  const isRefusal = verdict === 'rejected' && !(answer.status < 400 && mayLookFine.has(reason as string));
  expect({ ...said, explained: [...VERDICTS, 'mixed'].includes(verdict as string) && reason !== '' }).toEqual({ ...said, explained: true });
  expect({ ...said, isRefusal: answer.status >= 400 }).toEqual({ ...said, isRefusal });
  return answer;
}

async function send(url: string, { method, path, headers, body, signed }: Wire): Promise<Answered> {
  const bytes = Buffer.isBuffer(body) || typeof body === 'string' ? body : body === undefined ? undefined : JSON.stringify(body);
  const signature = signed ? { [signed.header]: signatureOf(signed.secret, String(bytes)) } : {};
  const response = await fetch(`${url}${path}`, {
    method,
    headers: { ...headers, ...signature },
    ...(bytes === undefined ? {} : { body: bytes }),
  });
  const text = await response.text();
  const isJson = /json/.test(response.headers.get('content-type') ?? '');
  return { status: response.status, headers: response.headers, body: isJson ? JSON.parse(text) : text };
}

function signatureOf(secret: string, body: string): string {
  const seconds = Math.floor(Date.now() / 1000);
  return `t=${seconds},v1=${createHmac('sha256', secret).update(`${seconds}.${body}`).digest('hex')}`;
}

/** Does what a tenant does before, and gives what it learned thereby. */
export async function prepare(url: string, { setup = [] }: Fixtures, words: Words): Promise<Words> {
  let known = words;
  for (const wire of setup) {
    const { status, body } = await send(url, fill(wire, known));
    expect({ path: wire.path, status, body, done: status < 300 }).toEqual({ path: wire.path, status, body, done: true });
    const kept = Object.entries(wire.keep ?? {}).map(([name, field]) => [name, (body as Json)[field]]);
    known = { ...known, ...Object.fromEntries(kept) };
  }
  return known;
}

/** That an answer is the golden one. */
export function keeps(answer: Answered, to: Golden, words: Words): void {
  const headers = Object.fromEntries(Object.keys(to.headers ?? {}).map((name) => [name, answer.headers.get(name)]));
  expect({ status: answer.status, body: answer.body, headers }).toEqual({
    status: to.status,
    body: golden(fill(to.body ?? '', words)),
    headers: golden(fill(to.headers ?? {}, words)),
  });
}

/** `{{*}}` as Jest's matcher of anything. */
export function golden(value: unknown): unknown {
  if (value === '{{*}}') return expect.anything();
  if (Array.isArray(value)) return value.map(golden);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, one]) => [name, golden(one)]));
}

/** The door's route that a request meets. */
export function routeOf(door: Door, { method, path }: Wire): DoorRoute | undefined {
  const plain = path.split('?')[0] as string;
  return door.routes.find((route) => route.method === method && new RegExp(`^${route.path.replace(/:[^/]+/g, '[^/]+')}$`).test(plain));
}
