import type { ServerResponse } from 'node:http';
import { randomUUID } from 'node:crypto';
import { histogram, Problem, problemBody } from '@baton/platform';
import type { CatalogDomain, Found } from './catalog/catalog.reader';
import type { Refusal } from './domain/decision';
import { appOsOf, storePage } from './domain/store-page';
import type { Agent } from './domain/visitor';
import type { Tally } from './tally';

/** Whom to answer, and what of the visit shows in the answer. */
export interface Answered {
  readonly response: ServerResponse;
  readonly startedMs: number;
  readonly found: Found;
  readonly agent: Agent;
  readonly visitorId: string | null;
  readonly isNewVisitor: boolean;
}

const SAFE_HEADERS = {
  'Cache-Control': 'no-store',
  // The advertiser learns which site the visitor came from, not which page.
  'Referrer-Policy': 'strict-origin-when-cross-origin',
  'X-Robots-Tag': 'noindex',
};
const COOKIE_TAIL = '; Path=/; Max-Age=34164000; HttpOnly; Secure; SameSite=Lax';
const COMMON_HEADERS = [...Object.entries(SAFE_HEADERS).flat(), 'Content-Length', '0'];

/** What a visitor gets to see: each answer is counted by its outcome, and none is kept by a cache. */
export class Answers {
  private readonly seconds = histogram('baton_redirect_seconds', 'Time from a request for a link to its answer');

  constructor(private readonly redirects: Tally) {}

  send({ response, visitorId, startedMs }: Answered, url: string, outcome: string, setsCookie: boolean): void {
    this.redirects.add(outcome);
    const headers = setsCookie
      ? ['Location', url, ...COMMON_HEADERS, 'Set-Cookie', `baton_vid=${visitorId}${COOKIE_TAIL}`]
      : ['Location', url, ...COMMON_HEADERS];
    response.writeHead(302, headers);
    response.end();
    this.seconds.observe((performance.now() - startedMs) / 1000);
  }

  /** A phone whose app opens this link gets a page that tries the app, then its store. False: the visitor is sent on as others are. */
  openApp({ response, found, agent, visitorId, isNewVisitor }: Answered, landingUrl: string, clickId: string): boolean {
    const { plan, terms } = found;
    const os = plan.deepLink === null ? null : appOsOf(agent);
    if (plan.deepLink === null || os === null || !terms) return false;
    const { landingParam, appStores: stores } = terms;
    const { html, headers } = storePage({ os, deepLink: plan.deepLink, landingUrl, clickId, landingParam, utm: plan.utm, stores });
    this.redirects.add('app');
    response.writeHead(200, {
      ...SAFE_HEADERS,
      ...headers,
      ...(isNewVisitor ? { 'Set-Cookie': `baton_vid=${visitorId}${COOKIE_TAIL}` } : {}),
      'Content-Length': Buffer.byteLength(html),
    });
    response.end(html);
    return true;
  }

  root(response: ServerResponse, domain: CatalogDomain): boolean {
    if (domain.rootUrl === null) return false;
    this.redirects.add('root');
    response.writeHead(302, ['Location', domain.rootUrl, ...COMMON_HEADERS]);
    response.end();
    return true;
  }

  notLoaded(response: ServerResponse): void {
    const problem = new Problem('unavailable', 'The links are still being read. Try again in a moment.', {
      headers: { 'Retry-After': '2' },
    });
    this.refuse(response, problem, 'not_loaded');
  }

  unknown(response: ServerResponse, reason: Refusal): void {
    this.refuse(response, new Problem('not_found', 'This link leads nowhere (any more).', { extra: { reason } }), reason);
  }

  refuse(response: ServerResponse, problem: Problem, outcome: string): void {
    this.redirects.add(outcome);
    const requestId = randomUUID();
    const body = JSON.stringify(problemBody(problem, requestId));
    response.writeHead(problem.status, {
      ...SAFE_HEADERS,
      ...problem.more.headers,
      'X-Request-Id': requestId,
      'Content-Type': 'application/problem+json; charset=utf-8',
      'Content-Length': Buffer.byteLength(body),
    });
    response.end(body);
  }
}
