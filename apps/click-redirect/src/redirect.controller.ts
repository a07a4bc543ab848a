import type { FastifyReply, FastifyRequest } from 'fastify';
import { counter, type Http, type Log, Problem, problemBody, traceparentOf } from '@baton/platform';
import type { CatalogLink, CatalogStore } from './catalog.store';
import type { ClickStore, Recorded } from './click.store';
import { type Address, clientAddress, type Network, networkOf } from './domain/address';
import { clickOf } from './domain/click';
import { decide, type Refusal } from './domain/decision';
import { type MacroValues, render } from './domain/landing';
import { mergedSubIds, readQuery } from './domain/query';
import { readVisitor, type Visitor } from './domain/visitor';
import type { Seal } from './seal';

export interface RedirectOptions {
  readonly catalog: CatalogStore;
  /** False until the catalog was read once: before that nobody knows which links there are. */
  readonly isLoaded: () => boolean;
  readonly clicks: ClickStore;
  readonly seal: Seal;
  readonly trustedProxies: readonly Network[];
  readonly now: () => number;
  readonly log: Log;
}

const HEADERS = {
  'Cache-Control': 'no-store',
  // The advertiser learns which site the visitor came from, not which page.
  'Referrer-Policy': 'strict-origin-when-cross-origin',
  'X-Robots-Tag': 'noindex',
};
type Request = FastifyRequest<{ Params: { slug: string } }>;

/** `GET /r/:slug`, answered by Fastify itself, before Nest. */
export class RedirectController {
  private readonly redirects = counter('baton_redirects_total', 'Answers to visitors of links, by what they were', ['outcome']);
  private readonly shed = counter(
    'baton_clicks_shed_total',
    'Visitors sent on without a click id, because the click could not be recorded, by reason',
    ['reason'],
  );

  constructor(private readonly options: RedirectOptions) {}

  routes(http: Http): void {
    const fastify = http.getHttpAdapter().getInstance();
    fastify.route<{ Params: { slug: string } }>({
      method: ['GET', 'HEAD'],
      url: '/r/:slug',
      exposeHeadRoute: false,
      handler: (request, reply) => this.answer(request, reply),
    });
  }

  private async answer(request: Request, reply: FastifyReply): Promise<FastifyReply> {
    void reply.headers(HEADERS);
    const { catalog, isLoaded, now } = this.options;
    if (!isLoaded())
      return this.refuse(
        request,
        reply,
        new Problem('unavailable', 'The links are still being read. Try again in a moment.', { headers: { 'Retry-After': '2' } }),
        'not_loaded',
      );
    const atMs = now();
    const found = catalog.find(request.params.slug, atMs);
    if (!found) return this.unknown(request, reply, 'link_unknown');
    const { link, plan } = found;
    const visitor = readVisitor(request.raw.headers);
    const decision = decide(plan, { atMs, country: null, device: visitor.deviceClass, visitorKey: '', counted: 0 });
    if (decision.kind === 'refused') return this.unknown(request, reply, decision.reason);
    if (decision.kind === 'fallback') return this.send(reply, decision.url, 'fallback');
    const values = valuesOf(request, link, visitor, atMs);
    const plain = render(decision.landing, values, null);
    // Link previews ask with HEAD: nobody has followed the link yet.
    if (request.method === 'HEAD') return this.send(reply, plain, 'head');
    const clickId = this.options.seal.mint(link.tenantId, link.number, atMs);
    const recorded = await this.record(request, { clickId, atMs, link, visitor, destination: plain });
    if (recorded.kind === 'recorded') return this.send(reply, render(decision.landing, values, clickId), 'click');
    this.shed.inc({ reason: recorded.reason });
    return this.send(reply, plain, 'shed');
  }

  /** Never throws: whatever goes wrong with the record, the visitor arrives. */
  private async record(
    request: Request,
    {
      clickId,
      atMs,
      link,
      visitor,
      destination,
    }: { clickId: string; atMs: number; link: CatalogLink; visitor: Visitor; destination: string },
  ): Promise<Recorded> {
    const { seal, clicks, log } = this.options;
    try {
      const { headers } = request.raw;
      const address = this.addressOf(request);
      const click = clickOf({
        clickId,
        occurredAtMs: atMs,
        link,
        destination,
        passed: readQuery(request.raw.url ?? ''),
        visitor,
        network: address && networkOf(address),
        addressHash: address && seal.addressHash(link.tenantId, address),
        userAgentHash: headers['user-agent'] ? seal.userAgentHash(headers['user-agent']) : null,
      });
      return await clicks.record(click, traceparentOf(headers));
    } catch (error) {
      log.error({ err: error, requestId: request.id, linkId: link.id }, 'a click could not be recorded');
      return { kind: 'shed', reason: 'internal' };
    }
  }

  /** The address stays in this process and out of its logs. */
  private addressOf(request: Request): Address | null {
    const forwarded = request.raw.headers['x-forwarded-for'];
    return clientAddress(
      request.raw.socket.remoteAddress,
      Array.isArray(forwarded) ? forwarded.join(',') : forwarded,
      this.options.trustedProxies,
    );
  }

  private send(reply: FastifyReply, url: string, outcome: string): FastifyReply {
    this.redirects.inc({ outcome });
    return reply.code(302).header('Location', url).header('Content-Length', '0').send();
  }

  private unknown(request: Request, reply: FastifyReply, reason: Refusal): FastifyReply {
    return this.refuse(request, reply, new Problem('not_found', 'This link leads nowhere (any more).', { extra: { reason } }), reason);
  }

  private refuse(request: Request, reply: FastifyReply, problem: Problem, outcome: string): FastifyReply {
    this.redirects.inc({ outcome });
    for (const [name, value] of Object.entries(problem.more.headers ?? {})) void reply.header(name, value);
    return reply.code(problem.status).type('application/problem+json').send(problemBody(problem, request.id));
  }
}

const valuesOf = ({ raw }: Request, link: CatalogLink, visitor: Visitor, atMs: number): MacroValues => ({
  partnerKey: link.partnerKey,
  partnerId: link.partnerId,
  programId: link.programId,
  linkId: link.id,
  slug: link.slug,
  subIds: mergedSubIds(link.subIds, readQuery(raw.url ?? '').subIds),
  country: null,
  device: visitor.deviceClass,
  os: null,
  visitorId: null,
  atMs,
});
