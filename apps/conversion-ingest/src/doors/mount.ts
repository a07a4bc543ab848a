import {
  type Admission,
  BODY_MAX_BYTES,
  type Caller,
  type Http,
  type KeyedRequest,
  type Log,
  parseBody,
  Problem,
  problemOf,
  traceparentOf,
} from '@baton/platform';
import { promisify } from 'node:util';
import { gunzip, inflate } from 'node:zlib';
import { type FactRequest, type FactRoutes, tell } from '../answered';
import { readIdempotencyKey } from '../idempotency-key';
import type { Intake, Told } from '../intake';
import { takeMany } from '../many';
import type { Posted, PostedKind } from '../posted';
import {
  isPassing,
  type Door,
  type DoorAnswer,
  type DoorKnown,
  type DoorRequest,
  type DoorRoute,
  type DoorSettings,
  type Joins,
} from './door';

export interface DoorParts {
  readonly admission: Admission;
  readonly intake: Intake;
  /** What this caller set for a door, and what is known of him. */
  readonly settingsOf: (caller: Caller, door: string) => Promise<{ readonly settings: DoorSettings; readonly known: DoorKnown }>;
  /** Whoever signs requests to this endpoint; null: there is none, or it was switched off. */
  readonly endpointOf: (door: string, id: string) => Promise<{ readonly caller: Caller; readonly secrets: readonly string[] } | null>;
  /** What follows for other conversions, to be taken after the facts themselves were. */
  readonly follow: (caller: Caller, door: string, posted: readonly Posted[], joins: Joins) => Promise<readonly Posted[]>;
  /** The routes that are counted. */
  readonly routes: FactRoutes;
  readonly log: Log;
}

const UNPACK = { gzip: promisify(gunzip), 'x-gzip': promisify(gunzip), deflate: promisify(inflate) } as const;
/** Of which kind a refusal is where nothing could be read. */
const KIND_OF: Readonly<Record<string, PostedKind>> = { 'reversals:write': 'reversal', 'identities:write': 'identity' };
/** Batches are as large as safety allows; of keys, so many as fit. */
const KEYS_PER_KB = 32;

type Scope = ReturnType<ReturnType<Http['getHttpAdapter']>['getInstance']>;
type Request = Omit<FactRequest, 'caller'> &
  KeyedRequest & {
    readonly params: unknown;
    /** As it was sent. */
    contentType?: string | string[] | undefined;
  };

/** The dialects beside our own API: their paths, their credentials, any content type, packed or not. */
export function mountDoors(http: Http, doors: readonly Door[], parts: DoorParts): void {
  void http
    .getHttpAdapter()
    .getInstance()
    .register(async (registered) => {
      const scope = registered as unknown as Scope;
      scope.removeAllContentTypeParsers();
      scope.addContentTypeParser(
        '*',
        { parseAs: 'buffer' },
        (_request: unknown, body: unknown, done: (error: null, body: unknown) => void) => done(null, body),
      );
      // Fastify reads the type before any parser is asked, and refuses what it cannot read; senders write anything there.
      scope.addHook('onRequest', (request, _reply, done) => {
        const asked = request as unknown as Request;
        asked.contentType = asked.headers['content-type'];
        asked.headers['content-type'] = 'application/octet-stream';
        done();
      });
      for (const door of doors) for (const route of door.routes) mount(scope, door, route, parts);
    });
}

function mount(scope: Scope, door: Door, route: DoorRoute, parts: DoorParts): void {
  const { method, path: url, bodyMaxBytes = BODY_MAX_BYTES } = route;
  parts.routes.set(`${method} ${url}`, door.name);
  scope.route({
    method,
    url,
    bodyLimit: bodyMaxBytes,
    // What Fastify refuses by itself (a body too large, an aborted one) is answered natively too.
    errorHandler: (error, request, reply) => send(reply, refusal(route, error, bare(request as unknown as Request)), problemOf(error)),
    handler: async (request, reply) => {
      const asked = request as unknown as Request;
      let read: DoorRequest = bare(asked);
      try {
        read = await unpacked(asked, bodyMaxBytes);
        const caller = await admit(parts, door, route, { asked, read });
        const told = await taken(parts, door, route, { caller, read, charge: (more) => parts.admission.charge(asked, more) });
        tell(asked, reply as never, told);
        await send(reply, route.answer(told, read), retry(told));
      } catch (error) {
        if (problemOf(error).code === 'internal') parts.log.error({ err: error, door: door.name, requestId: asked.id }, 'request failed');
        await send(reply, refusal(route, error, read), problemOf(error));
      }
      return reply;
    },
  });
}

async function admit(
  { admission, endpointOf }: DoorParts,
  door: Door,
  route: DoorRoute,
  { asked, read }: { readonly asked: Request; readonly read: DoorRequest },
): Promise<Caller> {
  if (!route.isSigned) return admission.admit(asked, { scope: route.scope, keyText: route.keyOf?.(read) ?? null, rawBody: read.raw });
  const endpoint = await endpointOf(door.name, read.params['endpoint'] ?? '');
  if (!endpoint) throw new Problem('unauthorised', 'There is no such endpoint, or it was switched off.');
  if (!route.isSigned(read, endpoint.secrets))
    throw new Problem('unauthorised', 'The signature is missing, is too old, or was not made with a secret of this endpoint.');
  // An endpoint has the limit that a key has.
  asked.caller = endpoint.caller;
  await admission.charge(asked, 1);
  return endpoint.caller;
}

interface Asked {
  readonly caller: Caller;
  readonly read: DoorRequest;
  /** Counts the facts of a request beyond its first towards the key's limit. */
  readonly charge: (more: number) => Promise<void>;
}

/** What became of the facts of a request. What cannot be read as any is thrown, with the receipt under which its sender finds it again. */
async function taken(parts: DoorParts, door: Door, route: DoorRoute, { caller, read, charge }: Asked): Promise<readonly Told[]> {
  const { intake, settingsOf, follow } = parts;
  const manner = { door: door.name, traceparent: traceparentOf(read.headers), isLoose: door.isLoose ?? false };
  const { settings, known } = await settingsOf(caller, door.name);
  let posted: readonly Posted[];
  try {
    posted = route.read(read, settings, known);
  } catch (error) {
    throw error instanceof Problem ? await intake.unread(caller, KIND_OF[route.scope] ?? 'conversion', error, manner) : error;
  }
  await charge(posted.length - 1);
  const idempotencyKey = posted.length === 1 ? readIdempotencyKey(read.headers['idempotency-key']) : null;
  const told =
    posted.length > 1
      ? await takeMany(intake, caller, posted, manner)
      : await intake.takeAll(caller, posted, { ...manner, idempotencyKey });
  // Where a fact could not be stored for now the whole request comes again, and this with it.
  if (!route.joins || retry(told)) return told;
  const follows = await follow(caller, door.name, posted, route.joins(read, settings));
  return [...told, ...(await takeMany(intake, caller, follows, manner))];
}

/** What a passing failure says about when to come again stands in our headers, whatever the dialect's answer looks like. */
const retry = (told: readonly Told[]): Problem | undefined =>
  told.flatMap((one) => (one.kind === 'rejected' && isPassing(one.problem.code) ? [one.problem] : []))[0];

function refusal(route: DoorRoute, error: unknown, request: DoorRequest): DoorAnswer {
  const problem = problemOf(error);
  const { status, body, headers } = route.refuse(problem, request);
  return {
    status,
    ...(body === undefined ? {} : { body }),
    headers: { ...problem.more.headers, 'Baton-Verdict': 'rejected', 'Baton-Reason': problem.code, ...headers },
  };
}

interface Sent {
  code(status: number): Sent;
  header(name: string, value: string): Sent;
  type(mime: string): Sent;
  send(body?: unknown): unknown;
}

async function send(reply: unknown, { status, body, headers }: DoorAnswer, problem?: Problem): Promise<void> {
  const sent = reply as Sent;
  sent.code(status);
  const retryAfter = problem?.more.headers?.['Retry-After'] ?? (problem && isPassing(problem.code) ? '2' : undefined);
  for (const [name, value] of Object.entries({ ...(retryAfter ? { 'Retry-After': retryAfter } : {}), ...headers }))
    sent.header(name, value);
  if (typeof body === 'object') sent.type('application/json; charset=utf-8');
  else if (body !== undefined && !headers?.['Content-Type']) sent.type('text/plain; charset=utf-8');
  await sent.send(typeof body === 'object' ? JSON.stringify(body) : body);
}

/** The request before its body was read. */
const bare = (request: Request): DoorRequest => requestOf(request, Buffer.alloc(0), 0);

async function unpacked(request: Request, maxBytes: number): Promise<DoorRequest> {
  const body = Buffer.isBuffer(request.body) ? request.body : Buffer.alloc(0);
  const encoding = String(request.headers['content-encoding'] ?? 'identity').toLowerCase();
  if (encoding === 'identity' || body.length === 0) return requestOf(request, body, maxBytes);
  const unpack = UNPACK[encoding as keyof typeof UNPACK];
  if (!unpack)
    throw new Problem('unsupported_media_type', `The body is packed as ${encoding.slice(0, 40)}; gzip and deflate are understood.`);
  try {
    return requestOf(request, await unpack(body, { maxOutputLength: maxBytes }), maxBytes);
  } catch (error) {
    if ((error as { code?: string }).code === 'ERR_BUFFER_TOO_LARGE')
      throw new Problem('too_large', `The body is longer than ${maxBytes} bytes when it is unpacked.`);
    throw new Problem('malformed', `The body is not what its Content-Encoding (${encoding}) says.`);
  }
}

function requestOf({ method, url, headers, params, contentType }: Request, raw: Buffer, maxBytes: number): DoorRequest {
  const mark = url.indexOf('?');
  let parsed: Record<string, unknown> | undefined;
  return {
    method,
    path: mark < 0 ? url : url.slice(0, mark),
    params: params as Record<string, string>,
    query: new URLSearchParams(mark < 0 ? '' : url.slice(mark + 1)),
    headers: Object.fromEntries(
      Object.entries({ ...headers, 'content-type': contentType }).map(([name, value]) => [name, Array.isArray(value) ? value[0] : value]),
    ),
    raw,
    receivedAtMs: Date.now(),
    json: () => (parsed ??= parseBody(raw, Math.max(256, Math.ceil(maxBytes / 1024) * KEYS_PER_KB)) as Record<string, unknown>),
    form: () => new URLSearchParams(raw.toString('utf8')),
  };
}
