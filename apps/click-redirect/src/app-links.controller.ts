import type { AndroidApp, AppleApp, EntityState } from '@baton/contracts';
import { counter, type Http, Problem, problemBody } from '@baton/platform';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { appleAssociation, assetStatements, hostIn } from './domain/app-links';

export interface AppDomain {
  readonly state: EntityState;
  readonly appleApps: readonly AppleApp[];
  readonly androidApps: readonly AndroidApp[];
}

/** The catalog as these routes need it. */
export interface AppDomains {
  /** False until the catalog was read once. */
  readonly isLoaded: boolean;
  /** `host` in lower case, without port. */
  domain(host: string): AppDomain | undefined;
}

type Refusal = 'domain_unknown' | 'domain_disabled' | 'domain_deleted' | 'no_apps';
interface File {
  readonly path: string;
  readonly name: 'apple' | 'android';
  readonly contentOf: (domain: AppDomain) => object | null;
}

const FILES: readonly File[] = [
  { path: '/.well-known/apple-app-site-association', name: 'apple', contentOf: ({ appleApps }) => appleAssociation(appleApps) },
  { path: '/.well-known/assetlinks.json', name: 'android', contentOf: ({ androidApps }) => assetStatements(androidApps) },
];

/** The files by which phones learn which app opens a domain's links. They are fetched by Apple's and Google's servers, which follow no redirect. */
export class AppLinksController {
  private readonly answers = counter('baton_app_links_total', 'Answers to who asks which apps open a domain’s links', ['file', 'outcome']);

  constructor(private readonly domains: AppDomains) {}

  routes(http: Http): void {
    const fastify = http.getHttpAdapter().getInstance();
    for (const file of FILES) fastify.get(file.path, (request, reply) => this.answer(file, request, reply));
  }

  private answer(file: File, request: FastifyRequest, reply: FastifyReply): FastifyReply {
    if (!this.domains.isLoaded)
      return this.refuse(
        file,
        request,
        reply,
        new Problem('unavailable', 'The domains are still being read. Try again in a moment.', { headers: { 'Retry-After': '2' } }),
        'not_loaded',
      );
    const host = hostIn(request.raw.headers.host);
    const domain = host === null ? undefined : this.domains.domain(host);
    if (!domain) return this.missing(file, request, reply, 'domain_unknown');
    if (domain.state !== 'active') return this.missing(file, request, reply, `domain_${domain.state}`);
    const content = file.contentOf(domain);
    if (!content) return this.missing(file, request, reply, 'no_apps');
    this.answers.inc({ file: file.name, outcome: 'served' });
    // As bytes: for a text the framework would add a charset to a type that has none.
    return reply
      .headers({ 'Content-Type': 'application/json', 'Cache-Control': 'public, max-age=300', 'X-Content-Type-Options': 'nosniff' })
      .send(Buffer.from(JSON.stringify(content)));
  }

  private missing(file: File, request: FastifyRequest, reply: FastifyReply, reason: Refusal): FastifyReply {
    const detail =
      reason === 'no_apps'
        ? 'This domain names no such app. Name it in the domain’s settings.'
        : 'No links are served under this host. Register the domain, or ask under the one that is.';
    return this.refuse(file, request, reply, new Problem('not_found', detail, { extra: { reason } }), reason);
  }

  private refuse(file: File, request: FastifyRequest, reply: FastifyReply, problem: Problem, outcome: string): FastifyReply {
    this.answers.inc({ file: file.name, outcome });
    return reply
      .code(problem.status)
      .headers({ 'Cache-Control': 'no-store', ...problem.more.headers })
      .type('application/problem+json')
      .send(problemBody(problem, request.id));
  }
}
