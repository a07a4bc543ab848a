import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Log } from '../run/log';
import { answerSeconds } from './answer-seconds';
import type { Admission, KeyedRequest, NeededScope } from './api-key-admission';
import { quotaHeaders, type QuotaState } from './api-key-quota';
import type { Caller } from './api-keys';
import { BODY_MAX_BYTES, parseBody, requestIdOf } from './http';
import { answerOfProblem, Problem } from './problem';

/**
 * A route whose plain requests are answered without the framework: a JSON object, posted with a key, of known length. Whatever is not plain (a
 * query, another type, no length) goes to the route of the same path in the framework, which answers the same; `front.integration.spec.ts` of
 * the service holds the two against each other.
 */
export interface FrontRoute {
  readonly path: string;
  readonly scope: NeededScope;
  /** Gives the body of the answer. Throws the `Problem`. */
  readonly handle: (request: FrontRequest, reply: FrontReply) => Promise<object>;
}

export interface FrontParts {
  readonly admission: Admission;
  readonly routes: readonly FrontRoute[];
  readonly log: Log;
  /** Once for each request, and once when its answer is given or cannot be any more. */
  readonly received: () => void;
  readonly answered: (request: FrontRequest, reply: FrontReply) => void;
}

/** As much of a request as is looked at behind the front. */
export class FrontRequest implements KeyedRequest {
  readonly method = 'POST';
  readonly url: string;
  readonly headers: IncomingMessage['headers'];
  readonly socket: IncomingMessage['socket'];
  readonly id: string;
  rawBody?: Buffer;
  body?: unknown;
  caller?: Caller;
  quota?: QuotaState | null;

  constructor(message: IncomingMessage, { path }: FrontRoute) {
    this.url = path;
    this.headers = message.headers;
    this.socket = message.socket;
    this.id = requestIdOf(message.headers);
  }
}

/** What is said beside the body. */
export class FrontReply {
  statusCode = 201;
  /** Names, each followed by its value: as `writeHead` takes them without a copy. */
  readonly headers: string[] = [];

  code(status: number): this {
    this.statusCode = status;
    return this;
  }

  header(name: string, value: string): this {
    const lower = name.toLowerCase();
    const at = this.indexOf(lower);
    if (at < 0) this.headers.push(lower, value);
    else this.headers[at + 1] = value;
    return this;
  }

  getHeader(name: string): string | undefined {
    const at = this.indexOf(name);
    return at < 0 ? undefined : this.headers[at + 1];
  }

  private indexOf(name: string): number {
    for (let at = 0; at < this.headers.length; at += 2) if (this.headers[at] === name) return at;
    return -1;
  }
}

const JSON_TYPE = /^application\/json(?:; ?charset=utf-8)?$/i;

/** True: the request is answered here. */
export function frontOf(parts: FrontParts): (message: IncomingMessage, response: ServerResponse) => boolean {
  const routes = new Map(parts.routes.map((route) => [route.path, route]));
  return (message, response) => {
    const route = message.method === 'POST' ? routes.get(message.url ?? '') : undefined;
    if (!route || !isPlain(message)) return false;
    void answer(parts, route, message, response);
    return true;
  };
}

function isPlain({ headers }: IncomingMessage): boolean {
  const length = Number(headers['content-length'] ?? NaN);
  return (
    length > 0 &&
    length <= BODY_MAX_BYTES &&
    JSON_TYPE.test(headers['content-type'] ?? '') &&
    headers['transfer-encoding'] === undefined &&
    headers['content-encoding'] === undefined
  );
}

async function answer(parts: FrontParts, route: FrontRoute, message: IncomingMessage, response: ServerResponse): Promise<void> {
  const startedMs = performance.now();
  const request = new FrontRequest(message, route);
  const reply = new FrontReply();
  reply.header('x-request-id', request.id);
  parts.received();
  let body: object;
  try {
    request.rawBody = await bodyOf(message);
    request.body = parseBody(request.rawBody);
    await parts.admission.admit(request, { scope: route.scope });
    body = await route.handle(request, reply);
    reply.header('content-type', 'application/json; charset=utf-8');
  } catch (error) {
    body = refuse(parts.log, error, request, reply);
  }
  if (request.quota) sayAll(reply, quotaHeaders(request.quota));
  parts.answered(request, reply);
  send(response, reply, JSON.stringify(body));
  secondsOf(route.path, reply.statusCode).observe((performance.now() - startedMs) / 1_000);
}

function refuse(log: Log, error: unknown, { id, method }: FrontRequest, reply: FrontReply): object {
  const { status, headers, body } = answerOfProblem(log, error, { id, method });
  sayAll(reply.code(status), headers);
  return body;
}

function sayAll(reply: FrontReply, headers: Readonly<Record<string, string>>): void {
  for (const name in headers) reply.header(name, headers[name] as string);
}

/** Who has left is not answered, and counts all the same. */
function send(response: ServerResponse, { statusCode, headers }: FrontReply, text: string): void {
  if (response.destroyed || response.headersSent) return;
  headers.push('content-length', String(Buffer.byteLength(text)));
  response.writeHead(statusCode, headers);
  response.end(text);
}

/** Its length is told and bounded. Throws where the sender goes before its end. */
function bodyOf(message: IncomingMessage): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    let first: Buffer | undefined;
    let more: Buffer[] | undefined;
    message.on('data', (chunk: Buffer) => {
      if (!first) first = chunk;
      else (more ??= [first]).push(chunk);
    });
    message.on('end', () => resolve(more ? Buffer.concat(more) : (first ?? Buffer.alloc(0))));
    message.on('error', () => reject(new Problem('malformed', 'The request ended before its body did.')));
  });
}

const observers = new Map<string, { observe(seconds: number): void }>();

function secondsOf(route: string, status: number): { observe(seconds: number): void } {
  const key = `${status} ${route}`;
  let observer = observers.get(key);
  if (!observer) observers.set(key, (observer = answerSeconds().labels('POST', route, String(status))));
  return observer;
}
