import { randomUUID } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import {
  type Address,
  type ClickIdKeys,
  emit,
  isProgramsOrigin,
  maySpeakFor,
  networkOf,
  type Outgoing,
  TouchRecorded,
} from '@baton/contracts';
import { counter, type Http, type Log, parseBody, Problem, problemBody, problemOf, traceparentOf } from '@baton/platform';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { type Params, paramsOf, paramsOfJson, type PixelSaid, readPixel } from './domain/pixel';
import { touchOf } from './domain/touch';
import { type Agent, languageOf, visitorIdIn } from './domain/visitor';
import type { Place, PlaceStore } from './place.store';
import { type Subject, subjectOf, type TouchCatalog, type Unsure } from './touch.subject';

export interface TouchFacts {
  /** Kept, or shed with a reason; never throws. */
  record(
    event: Outgoing,
    traceparent?: string,
  ): Promise<{ readonly kind: 'recorded' } | { readonly kind: 'shed'; readonly reason: string }>;
}
export interface TouchVisitors {
  agentOf(userAgent: string | undefined): { readonly agent: Agent; readonly hash: string | null };
  addressOf(request: IncomingMessage): Address | null;
}
export interface TouchOptions {
  readonly catalog: TouchCatalog;
  readonly facts: TouchFacts;
  readonly visitors: TouchVisitors;
  readonly places: PlaceStore;
  readonly seal: { addressHash(tenantId: string, address: Address): string };
  readonly clickIdKeys: ClickIdKeys;
  /** 22 base64url characters. */
  readonly newVisitorId: (addressHash: string | null, userAgentHash: string | null) => string;
  readonly now: () => number;
  readonly log: Log;
}

type Refusal = Unsure | 'not_loaded' | 'host_not_allowed' | 'too_large';
type Outcome = { readonly kind: 'recorded' } | { readonly kind: 'shed' } | { readonly kind: 'refused'; readonly reason: Refusal };
type Door = 'gif' | 'post';

const SAID_MAX_BYTES = 8 * 1024;
/** The smallest picture there is: one transparent dot, 43 bytes. */
const GIF = Buffer.from('R0lGODlhAQABAIAAAAAAAAAAACH5BAEAAAAALAAAAAABAAEAAAICRAEAOw==', 'base64');
const HEADERS = { 'Cache-Control': 'no-store', 'X-Robots-Tag': 'noindex', 'X-Content-Type-Options': 'nosniff', Vary: 'Origin' };
const RETRY = { 'Retry-After': '2' };
const NOWHERE: Place = { country: null, asn: null, hosting: false, vpn: false };
const COOKIE_TAIL = '; Path=/; Max-Age=34164000; HttpOnly; Secure; SameSite=';

const PROBLEMS: Readonly<Record<Refusal, () => Problem>> = {
  not_loaded: () => new Problem('unavailable', 'The programs are still being read. Try again in a moment.', { headers: RETRY }),
  unidentified: () =>
    new Problem('program_unknown', 'No program can be told from the request. Send click_id, or tenant_id and program_id.'),
  click_forged: () => new Problem('click_forged'),
  program_unknown: () => new Problem('program_unknown', 'There is no such program. Check tenant_id and program_id.'),
  program_paused: () => new Problem('program_paused'),
  host_not_allowed: () =>
    new Problem(
      'destination_refused',
      'Pages of this host may not speak for the program. Add the host to the program’s destination hosts.',
    ),
  too_large: () => new Problem('too_large', `At most ${SAID_MAX_BYTES} bytes are read.`),
};

/** The pixel of landing pages: `GET /t.gif`, always answered with the picture, and `POST /t` for `navigator.sendBeacon`. */
export class TouchController {
  private readonly touches = counter('baton_touches_total', 'Requests of landing pages’ pixels, by what became of them', [
    'door',
    'outcome',
  ]);
  private readonly shed = counter('baton_touches_shed_total', 'Touches that could not be kept, by reason', ['reason']);

  constructor(private readonly options: TouchOptions) {}

  routes(http: Http): void {
    // A scope of its own: here bodies of any type are read, whatever they say they are.
    void http
      .getHttpAdapter()
      .getInstance()
      .register(async (scope) => {
        scope.removeAllContentTypeParsers();
        scope.addContentTypeParser('*', { parseAs: 'buffer', bodyLimit: SAID_MAX_BYTES }, (_request, body, done) => done(null, body));
        scope.setErrorHandler((error, request, reply) => this.problem(request, reply, problemOf(error), problemOf(error).code));
        scope.route({
          method: ['GET', 'HEAD'],
          url: '/t.gif',
          exposeHeadRoute: false,
          handler: (request, reply) => this.gif(request, reply),
        });
        scope.post('/t', (request, reply) => this.post(request, reply));
        scope.options('/t', (request, reply) => this.preflight(request, reply));
      });
  }

  private async gif(request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> {
    void reply.headers({ ...HEADERS, 'Cross-Origin-Resource-Policy': 'cross-origin' });
    if (request.method === 'GET') {
      const query = queryOf(request);
      const outcome: Outcome =
        query.length > SAID_MAX_BYTES ? { kind: 'refused', reason: 'too_large' } : await this.take(request, reply, paramsOf(query));
      this.count('gif', outcome);
    }
    return reply.type('image/gif').send(GIF);
  }

  private async post(request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> {
    const query = queryOf(request);
    void reply.headers(HEADERS);
    const outcome: Outcome =
      query.length > SAID_MAX_BYTES
        ? { kind: 'refused', reason: 'too_large' }
        : await this.take(request, reply, new Map([...paramsOf(query), ...bodyOf(request)]));
    if (outcome.kind === 'refused') return this.problem(request, reply, PROBLEMS[outcome.reason](), outcome.reason);
    this.count('post', outcome);
    if (outcome.kind === 'recorded') return reply.code(204).send();
    const problem = new Problem('unavailable', 'The touch could not be kept. Try again in a moment.', { headers: RETRY });
    return this.answer(request, reply, problem, 'shed');
  }

  /** Browsers ask before they send JSON from another site. They are told nothing unless the query names the program. */
  private preflight(request: FastifyRequest, reply: FastifyReply): FastifyReply {
    void reply.headers(HEADERS);
    const subject = this.options.catalog.isLoaded
      ? subjectOf(readPixel(paramsOf(queryOf(request))), this.options, this.options.now())
      : 'not_loaded';
    if (typeof subject === 'object' && this.allow(request, reply, subject))
      void reply.headers({
        'Access-Control-Allow-Methods': 'POST',
        'Access-Control-Allow-Headers': 'Content-Type',
        'Access-Control-Max-Age': '600',
      });
    return reply.code(204).send();
  }

  private async take(request: FastifyRequest, reply: FastifyReply, params: Params): Promise<Outcome> {
    const { catalog, now } = this.options;
    if (!catalog.isLoaded) return { kind: 'refused', reason: 'not_loaded' };
    const { headers } = request.raw;
    const atMs = now();
    const said = readPixel(params, headers.referer);
    const subject = subjectOf(said, this.options, atMs);
    if (typeof subject === 'string') return { kind: 'refused', reason: subject };
    this.allow(request, reply, subject);
    const asked = { origin: headers.origin, referer: headers.referer, page: said.pageOrigin };
    if (!maySpeakFor(subject.terms, asked, subject.click !== null)) return { kind: 'refused', reason: 'host_not_allowed' };
    return this.record(request, reply, { said, subject, atMs });
  }

  private async record(
    request: FastifyRequest,
    reply: FastifyReply,
    { said, subject, atMs }: { said: PixelSaid; subject: Subject; atMs: number },
  ): Promise<Outcome> {
    const { visitors, seal, places, newVisitorId, facts, log } = this.options;
    const { headers } = request.raw;
    try {
      const { agent, hash: userAgentHash } = visitors.agentOf(headers['user-agent']);
      const address = visitors.addressOf(request.raw);
      const addressHash = address && seal.addressHash(subject.tenantId, address);
      const known = said.visitorId ?? visitorIdIn(headers.cookie);
      const visitorId = known ?? (agent.bot ? null : newVisitorId(addressHash, userAgentHash));
      const touch = touchOf({
        ...{ touchId: randomUUID(), occurredAtMs: atMs, tenantId: subject.tenantId, programId: subject.programId, click: subject.click },
        ...{ said, visitorId, agent, addressHash, userAgentHash },
        place: address ? places.lookup(address) : NOWHERE,
        network: address && networkOf(address),
        language: languageOf(headers['accept-language']),
      });
      const recorded = await facts.record(emit(TouchRecorded, touch), traceparentOf(headers));
      if (recorded.kind === 'shed') return this.lost(recorded.reason);
      if (known === null && visitorId !== null) void reply.header('Set-Cookie', this.cookieOf(visitorId, headers.host, subject));
      return { kind: 'recorded' };
    } catch (error) {
      log.error({ err: error, requestId: request.id }, 'a touch could not be recorded');
      return this.lost('internal');
    }
  }

  private lost(reason: string): Outcome {
    this.shed.inc({ reason });
    return { kind: 'shed' };
  }

  /** On the tenant's own domain it is the cookie of its links. Elsewhere it is one for each site, which no other site's pages can read. */
  private cookieOf(visitorId: string, host: string | undefined, { tenantId }: Subject): string {
    const domain = this.options.catalog.domain((host ?? '').replace(/:\d+$/, '').toLowerCase());
    const isOwn = domain?.state === 'active' && domain.tenantId === tenantId;
    return `baton_vid=${visitorId}${COOKIE_TAIL}${isOwn ? 'Lax' : 'None; Partitioned'}`;
  }

  /** Lets the page's own script read the answer, if the program's links may lead there. */
  private allow(request: FastifyRequest, reply: FastifyReply, { terms }: Subject): boolean {
    const { origin } = request.raw.headers;
    if (origin === undefined || !isProgramsOrigin(origin, terms)) return false;
    void reply.headers({ 'Access-Control-Allow-Origin': origin, 'Access-Control-Allow-Credentials': 'true' });
    return true;
  }

  private count(door: Door, outcome: Outcome): void {
    this.touches.inc({ door, outcome: outcome.kind === 'refused' ? outcome.reason : outcome.kind });
  }

  private problem(request: FastifyRequest, reply: FastifyReply, problem: Problem, reason: string): FastifyReply {
    this.touches.inc({ door: 'post', outcome: reason });
    return this.answer(request, reply, problem, reason);
  }

  private answer(request: FastifyRequest, reply: FastifyReply, { status, more, code, detail }: Problem, reason: string): FastifyReply {
    const problem = new Problem(code, detail, { ...more, extra: { reason } });
    return reply
      .code(status)
      .headers({ ...HEADERS, ...more.headers })
      .type('application/problem+json')
      .send(problemBody(problem, request.id));
  }
}

const queryOf = ({ raw: { url = '' } }: FastifyRequest): string => (url.includes('?') ? url.slice(url.indexOf('?') + 1) : '');

/** `sendBeacon` calls its JSON text or a form, and forms come under any name: what stands there says what it is. Throws a `Problem`. */
function bodyOf({ body, headers }: FastifyRequest): Params {
  if (!Buffer.isBuffer(body) || body.length === 0) return new Map();
  if (headers['content-type']?.startsWith('multipart/'))
    throw new Problem('unsupported_media_type', 'Send JSON or URLSearchParams, not FormData.');
  const text = body.toString('latin1').trim();
  return text.startsWith('{') ? paramsOfJson(parseBody(body) as object) : paramsOf(text);
}
