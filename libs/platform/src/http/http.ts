import { type DynamicModule, ValidationPipe } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { FastifyAdapter, type NestFastifyApplication, RouteConfig } from '@nestjs/platform-fastify';
import type { ValidationError } from 'class-validator';
import { DEPTH_MAX, depthOf, InvalidEvent, refuseForbiddenKeys } from '@baton/contracts';
import { randomUUID } from 'node:crypto';
import { createServer, type RequestListener, type Server } from 'node:http';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { metricsContentType, metricsText } from '../run/metrics';
import type { Log } from '../run/log';
import type { Composition } from '../run/run';
import { answerSeconds } from './answer-seconds';
import { describeApi } from './openapi';
import { type FieldProblem, Problem, problemBody, ProblemFilter } from './problem';

export type Http = NestFastifyApplication;

export const BODY_MAX_BYTES = 64 * 1024;
const KEYS_MAX = 256;
/** `"":0,` */
const KEY_MIN_BYTES = 5;
/** Of bodies that may be longer: as densely as real ones name their fields, and more. */
const KEYS_PER_KB = 32;
const REQUEST_TIMEOUT_MS = 30_000;
/** Fastify's own default: longer than the idle time of usual load balancers. */
const KEEP_ALIVE_MS = 72_000;
/** While it closes, idle connections are looked for so often. */
const SWEEP_MS = 20;
const REQUEST_ID = /^[A-Za-z0-9._-]{1,128}$/;

/** Connections whose request may take longer than others do. Node asks once for each request, and leaves the answer to us. */
const patient = new WeakSet<Duplex>();

/** For a route that reads an upload of any length: the request's deadline does not end it, silence of `idleMs` does. */
export function takesTime(socket: Socket, idleMs: number): { end(): void } {
  const silent = (): void => void socket.destroy();
  patient.add(socket);
  socket.setTimeout(idleMs, silent);
  return {
    end: () => {
      patient.delete(socket);
      socket.setTimeout(0, silent);
    },
  };
}

/** For a controller's route whose body may be longer than others': so many bytes, and as many keys as those need. */
export const TakesBody = (bodyMaxBytes: number): MethodDecorator =>
  RouteConfig({ bodyMaxBytes, keysMax: Math.ceil(bodyMaxBytes / 1024) * KEYS_PER_KB } satisfies BodyBounds);

interface BodyBounds {
  readonly bodyMaxBytes?: number;
  readonly keysMax?: number;
}

/** Fastify under Nest: bounded bodies, problem details for every error, request ids, /livez /readyz /metrics, OpenAPI 3.0. */
export async function createHttp(
  module: DynamicModule,
  composition: Composition,
  log: Log,
  life: { stopping: boolean; started: boolean },
): Promise<Http> {
  const adapter = new FastifyAdapter({
    bodyLimit: BODY_MAX_BYTES,
    requestTimeout: REQUEST_TIMEOUT_MS,
    keepAliveTimeout: KEEP_ALIVE_MS,
    forceCloseConnections: 'idle',
    // What still comes over an open connection while it closes is answered as ever, and told to come again over another.
    return503OnClosing: false,
    genReqId: ({ headers }: { headers: Record<string, string | string[] | undefined> }) => requestIdOf(headers),
    ...(composition.front ? { serverFactory: behind(composition.front, life) } : {}),
    clientErrorHandler: (error, socket) => {
      if (error.code === 'ERR_HTTP_REQUEST_TIMEOUT' && patient.has(socket)) return;
      const body = JSON.stringify(problemBody(new Problem('malformed', `not a readable HTTP request (${error.code})`)));
      if (socket.writable)
        socket.end(
          `HTTP/1.1 400 Bad Request\r\nContent-Type: application/problem+json\r\nContent-Length: ${Buffer.byteLength(body)}\r\nConnection: close\r\n\r\n${body}`,
        );
    },
  });
  const http = await NestFactory.create<NestFastifyApplication>(module, adapter, {
    logger: ['fatal', 'error', 'warn'],
    abortOnError: false,
    bodyParser: false,
  });
  http.useGlobalFilters(new ProblemFilter(log));
  http.useGlobalPipes(
    new ValidationPipe({
      transform: true,
      whitelist: true,
      forbidNonWhitelisted: true,
      stopAtFirstError: false,
      exceptionFactory: problemOfValidation,
    }),
  );
  boundBodies(http);
  readJson(http);
  observe(http);
  healthRoutes(http, composition, life);
  if (composition.openApi) describeApi(http, composition.openApi);
  composition.routes?.(http);
  await http.init();
  return http;
}

/** The caller's own id of the request, or a new one. */
export function requestIdOf(headers: Record<string, string | string[] | undefined>): string {
  const given = headers['x-request-id'];
  return typeof given === 'string' && REQUEST_ID.test(given) ? given : randomUUID();
}

/** The answers that must cost no more than plain `node:http` are given before Fastify has a look. */
function behind(front: NonNullable<Composition['front']>, life: { readonly stopping: boolean }): (handler: RequestListener) => Server {
  return (handler) =>
    createServer({ requestTimeout: REQUEST_TIMEOUT_MS, keepAliveTimeout: KEEP_ALIVE_MS }, (request, response) => {
      // Whoever still comes over an open connection comes again over another.
      if (life.stopping) response.shouldKeepAlive = false;
      if (!front(request, response)) handler(request, response);
    });
}

/**
 * Stops accepting, lets what is in flight end, closes idle connections: also those that get idle meanwhile, which would stay open for as long as
 * their clients like to keep them.
 */
export async function closeHttp(http: Http): Promise<void> {
  const server = http.getHttpServer() as Server;
  const sweeping = setInterval(() => server.closeIdleConnections(), SWEEP_MS);
  await http.close().finally(() => clearInterval(sweeping));
}

/** Before routes are made. */
function boundBodies(http: Http): void {
  http
    .getHttpAdapter()
    .getInstance()
    .addHook('onRoute', (route) => {
      const { bodyMaxBytes } = (route.config ?? {}) as BodyBounds;
      if (bodyMaxBytes !== undefined) route.bodyLimit = bodyMaxBytes;
    });
}

/** One parser for JSON: depth is measured on the bytes first, `__proto__` and its kin are refused, an empty body is said to be one. */
function readJson(http: Http): void {
  http.getHttpAdapter().getInstance().removeAllContentTypeParsers();
  http
    .getHttpAdapter()
    .getInstance()
    .addContentTypeParser(['application/json', 'application/problem+json'], { parseAs: 'buffer' }, (request, body, done) => {
      // As it was sent: signatures are over these bytes.
      (request as { rawBody?: Buffer }).rawBody = body as Buffer;
      try {
        done(null, parseBody(body as Buffer, (request.routeOptions.config as BodyBounds).keysMax));
      } catch (error) {
        done(error as Error, undefined);
      }
    });
}

/** A JSON object of bounded depth and number of keys; anything else is a `Problem`. */
export function parseBody(body: Buffer, keysMax = KEYS_MAX): unknown {
  if (body.length === 0) throw new Problem('malformed', 'The body is empty; send a JSON object.');
  if (depthOf(body) > DEPTH_MAX) throw new Problem('too_large', `The body is nested deeper than ${DEPTH_MAX}.`);
  const text = body.toString('utf8');
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch (error) {
    throw new Problem('malformed', `The body is not JSON: ${error instanceof Error ? error.message : String(error)}`);
  }
  try {
    refuseForbiddenKeys(text, parsed);
  } catch (error) {
    if (error instanceof InvalidEvent) throw new Problem('malformed', error.message);
    throw error;
  }
  if (typeof parsed !== 'object' || parsed === null || Array.isArray(parsed)) throw new Problem('malformed', 'Send a JSON object.');
  if (body.length > keysMax * KEY_MIN_BYTES && keysOf(parsed) > keysMax)
    throw new Problem('too_large', `The body has more than ${keysMax} keys.`);
  return parsed;
}

function keysOf(value: unknown): number {
  if (typeof value !== 'object' || value === null) return 0;
  let count = Array.isArray(value) ? 0 : Object.keys(value).length;
  for (const child of Object.values(value)) count += keysOf(child);
  return count;
}

function observe(http: Http): void {
  const seconds = answerSeconds();
  http
    .getHttpAdapter()
    .getInstance()
    .addHook('onResponse', (request, reply, done) => {
      // The route's pattern, never the path: paths are without bound.
      seconds.observe(
        { method: request.method, route: request.routeOptions.url ?? 'none', status: String(reply.statusCode) },
        reply.elapsedTime / 1000,
      );
      done();
    })
    .addHook('onRequest', (request, reply, done) => {
      void reply.header('X-Request-Id', request.id);
      done();
    });
}

function healthRoutes(http: Http, composition: Composition, life: { stopping: boolean; started: boolean }): void {
  const fastify = http.getHttpAdapter().getInstance();
  fastify.get('/livez', (_request, reply) => reply.send({ live: true }));
  fastify.get('/metrics', async (_request, reply) => reply.type(metricsContentType).send(await metricsText()));
  fastify.get('/readyz', async (_request, reply) => {
    const waiting: Record<string, string> = {};
    if (life.stopping) waiting['service'] = 'stopping';
    else if (!life.started) waiting['service'] = 'starting';
    for (const part of composition.parts) {
      const why = await part.unready?.();
      if (why) waiting[part.name] = why;
    }
    const ready = Object.keys(waiting).length === 0;
    return reply.code(ready ? 200 : 503).send({ ready, ...(ready ? {} : { waiting }), ...composition.status?.() });
  });
}

function problemOfValidation(errors: ValidationError[]): Problem {
  const problems = problemsOf(errors);
  return new Problem(
    'malformed',
    `The body has ${problems.length === 1 ? 'a problem' : `${problems.length} problems`}: ${problems.map((p) => p.problem).join('; ')}`,
    { errors: problems },
  );
}

/** What class-validator found, by paths in the body. */
export function problemsOf(errors: readonly ValidationError[], path = ''): FieldProblem[] {
  return errors.flatMap((error) => {
    const field = path ? (/^\d+$/.test(error.property) ? `${path}[${error.property}]` : `${path}.${error.property}`) : error.property;
    return [...Object.values(error.constraints ?? {}).map((problem) => ({ field, problem })), ...problemsOf(error.children ?? [], field)];
  });
}
