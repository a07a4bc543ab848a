import type { IncomingMessage, ServerResponse } from 'node:http';
import { givenTraceparent, type Log, Problem } from '@baton/platform';
import type { Answers } from './answers';
import type { ClickCounts } from './caps/click-counts';
import type { CatalogDomain, CatalogLink, CatalogReader, Found } from './catalog/catalog.reader';
import { type Address, networkOf } from '@baton/contracts';
import { clickText, landingText, linkText, placeText } from './domain/click';
import { decide, type Decision } from './domain/decision';
import { flat } from './domain/flat';
import { type Landing, type MacroValues, render } from './domain/landing';
import { mergedSubIds, NOTHING_PASSED, type Passed, readQuery } from './domain/query';
import { type Agent, isPrefetch, languageOf, referrerHostOf, visitorIdIn } from './domain/visitor';
import { bucketOf, visitorKeyOf } from './domain/visitor-key';
import type { Place, PlaceStore } from './place.store';
import type { Seal } from './seal';
import type { FactLog } from './spool/fact-log';
import type { Tally } from './tally';
import type { Visitors } from './visitors';

export interface RedirectOptions {
  readonly catalog: CatalogReader;
  readonly facts: FactLog;
  readonly seal: Seal;
  readonly places: PlaceStore;
  readonly visitors: Visitors;
  readonly counts: ClickCounts;
  readonly now: () => number;
  readonly log: Log;
  readonly answers: Answers;
  readonly shed: Tally;
}

/** All that is known of a request once its link is found. */
interface Visit {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly atMs: number;
  readonly startedMs: number;
  readonly found: Found;
  readonly domain: CatalogDomain | undefined;
  readonly agent: Agent;
  readonly agentText: string;
  readonly address: Address | null;
  readonly addressHash: string | null;
  readonly place: Place;
  readonly visitorId: string | null;
  readonly isNewVisitor: boolean;
  readonly passed: Passed;
  readonly subIds: Readonly<Record<string, string>>;
}

const PREFIX = '/r/';
const NOWHERE: Place = { country: null, asn: null, hosting: false, vpn: false };
const CLICK_KIND = 0;

/** `GET /r/:slug`, and `/:slug` under a tenant's own domain, answered before the framework. */
export class RedirectController {
  private readonly linkTexts = new WeakMap<CatalogLink, string>();
  private readonly landingTexts = new WeakMap<Landing, string>();
  private readonly placeTexts = new WeakMap<Place, string>();
  private instant = { atMs: 0, text: new Date(0).toISOString() };

  constructor(private readonly options: RedirectOptions) {}

  /** False: the request is not for a link. */
  front(request: IncomingMessage, response: ServerResponse): boolean {
    const { method, url = '' } = request;
    if (method !== 'GET' && method !== 'HEAD') return false;
    const queryAt = url.indexOf('?');
    const path = queryAt < 0 ? url : url.slice(0, queryAt);
    const { catalog } = this.options;
    try {
      const domain = this.domainOf(request.headers.host);
      if (domain && path === '/') return this.options.answers.root(response, domain);
      const slug = slugIn(path, domain !== undefined);
      if (slug === null) return false;
      const atMs = this.options.now();
      const found = catalog.isLoaded ? catalog.find(slug, atMs, domain?.tenantId) : undefined;
      if (found) this.visit(request, response, found, domain, atMs);
      else if (!catalog.isLoaded) this.options.answers.notLoaded(response);
      // Under a tenant's own domain other paths may be other routes.
      else if (!path.startsWith(PREFIX)) return false;
      else this.options.answers.unknown(response, 'link_unknown');
    } catch (error) {
      this.fail(response, error);
    }
    return true;
  }

  private fail(response: ServerResponse, error: unknown): void {
    this.options.log.error({ err: error }, 'a visitor could not be answered');
    if (response.headersSent) response.destroy();
    else this.options.answers.refuse(response, new Problem('internal', 'This is our fault. Try again in a moment.'), 'internal');
  }

  private visit(request: IncomingMessage, response: ServerResponse, found: Found, domain: CatalogDomain | undefined, atMs: number): void {
    const visit = this.visitOf(request, response, found, domain, atMs);
    const { country } = visit.place;
    const { deviceClass: device, bot } = visit.agent;
    const visitorKey = bot || visit.visitorId === null ? '' : visitorKeyOf(visit.visitorId);
    const counted = found.plan.clickCap === null ? 0 : this.options.counts.of(found.link.number);
    const decision = decide(found.plan, { atMs, country, device, visitorKey, counted });
    this.carryOut(visit, decision);
  }

  private carryOut(visit: Visit, decision: Decision): void {
    if (decision.kind === 'refused') return this.options.answers.unknown(visit.response, decision.reason);
    if (decision.kind === 'fallback') return this.options.answers.send(visit, decision.url, 'fallback', false);
    const { landing } = decision;
    const values = landing.needsValues ? valuesOf(visit) : NO_VALUES;
    const plain = (): string => render(landing, values, null);
    if (visit.request.method === 'HEAD') {
      // Nobody has followed the link, so nobody waits for the record.
      this.record(visit, landing, plain, true, () => undefined);
      return this.options.answers.send(visit, plain(), 'head', false);
    }
    this.record(visit, landing, plain, false, (clickId, shed) => {
      try {
        if (clickId === null) {
          this.options.shed.add(shed ?? 'internal');
          return this.options.answers.send(visit, plain(), 'shed', false);
        }
        const url = render(landing, values, clickId);
        if (!this.options.answers.openApp(visit, url, clickId)) this.options.answers.send(visit, url, 'click', visit.isNewVisitor);
      } catch (error) {
        // The disk answers later than `front` returns: nobody else would answer the visitor.
        this.fail(visit.response, error);
      }
    });
  }

  /** Never throws: whatever goes wrong with the record, the visitor arrives. */
  private record(
    visit: Visit,
    landing: Landing,
    destination: () => string,
    head: boolean,
    done: (clickId: string | null, shed: string | null) => void,
  ): void {
    const { seal, facts, counts, log } = this.options;
    const { request, found, atMs, agent, address } = visit;
    const { link, plan } = found;
    try {
      const { headers } = request;
      const clickId = seal.mint(link.tenantId, link.number, atMs);
      const prefetch = isPrefetch(headers);
      const value = clickText({
        clickId,
        occurredAt: this.instantOf(atMs),
        link: this.linkTextOf(link),
        agent: visit.agentText,
        place: this.placeTextOf(visit.place),
        subIds: visit.subIds,
        landing: this.landingTextOf(landing, destination, plan.utm),
        rawUtm: visit.passed.rawUtm,
        drifted: landing.rawUtm,
        prefetch,
        head,
        network: address && networkOf(address),
        addressHash: visit.addressHash,
        referrerHost: referrerHostOf(headers.referer),
        language: languageOf(headers['accept-language']),
        visitorId: visit.visitorId,
        host: visit.domain?.host ?? null,
      });
      const { tenantId } = link;
      const record = { kind: CLICK_KIND, tenantId, occurredAtMs: atMs, id: clickId, traceparent: givenTraceparent(headers), value };
      facts.append(record, (shed) => {
        if (shed === null && plan.clickCap !== null && !agent.bot && !prefetch && !head) counts.add(link.tenantId, link.number);
        done(shed === null ? clickId : null, shed);
      });
    } catch (error) {
      log.error({ err: error, linkId: link.id }, 'a click could not be recorded');
      done(null, 'internal');
    }
  }

  private visitOf(
    request: IncomingMessage,
    response: ServerResponse,
    found: Found,
    domain: CatalogDomain | undefined,
    atMs: number,
  ): Visit {
    const { visitors, seal, places } = this.options;
    const { agent, hash: userAgentHash, text } = visitors.agentOf(request.headers['user-agent']);
    const address = visitors.addressOf(request);
    const addressHash = address && seal.addressHash(found.link.tenantId, address);
    const known = visitorIdIn(request.headers.cookie);
    const isNewVisitor = known === null && !agent.bot;
    const passed = readQuery(request.url ?? '');
    return {
      request,
      response,
      atMs,
      startedMs: performance.now(),
      found,
      domain,
      agent,
      agentText: text,
      address,
      addressHash,
      place: address ? places.lookup(address) : NOWHERE,
      visitorId: isNewVisitor ? seal.visitorId(bucketOf(addressHash, userAgentHash)) : known,
      isNewVisitor,
      passed,
      subIds: passed === NOTHING_PASSED ? found.link.subIds : mergedSubIds(found.link.subIds, passed.subIds),
    };
  }

  private linkTextOf(link: CatalogLink): string {
    let text = this.linkTexts.get(link);
    if (text === undefined) this.linkTexts.set(link, (text = flat(linkText(link))));
    return text;
  }

  private landingTextOf(landing: Landing, destination: () => string, utm: Readonly<Record<string, string>>): string {
    if (landing.needsValues) return landingText(destination(), utm);
    let text = this.landingTexts.get(landing);
    if (text === undefined) this.landingTexts.set(landing, (text = flat(landingText(destination(), utm))));
    return text;
  }

  private placeTextOf(place: Place): string {
    let text = this.placeTexts.get(place);
    if (text === undefined) this.placeTexts.set(place, (text = flat(placeText(place))));
    return text;
  }

  /** Many visitors come in one millisecond. */
  private instantOf(atMs: number): string {
    if (atMs !== this.instant.atMs) this.instant = { atMs, text: new Date(atMs).toISOString() };
    return this.instant.text;
  }

  /** Only a domain of the catalog means anything; what else stands in Host builds nothing. */
  private domainOf(host: string | undefined): CatalogDomain | undefined {
    if (host === undefined) return undefined;
    const portAt = host.indexOf(':');
    const domain = this.options.catalog.domain((portAt < 0 ? host : host.slice(0, portAt)).toLowerCase());
    return domain?.state === 'active' ? domain : undefined;
  }
}

const SLUG_TAIL = /^[^/]+$/;

function slugIn(path: string, isOwnDomain: boolean): string | null {
  const text = path.startsWith(PREFIX) ? path.slice(PREFIX.length) : isOwnDomain ? path.slice(1) : '';
  if (text === '' || !SLUG_TAIL.test(text)) return null;
  if (!text.includes('%')) return text;
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** For a destination without macros. */
const NO_VALUES: MacroValues = {
  partnerKey: null,
  partnerId: '',
  programId: '',
  linkId: '',
  slug: '',
  subIds: {},
  country: null,
  device: 'other',
  os: null,
  visitorId: null,
  atMs: 0,
};

const valuesOf = ({ found: { link }, agent, place, visitorId, subIds, atMs }: Visit): MacroValues => ({
  partnerKey: link.partnerKey,
  partnerId: link.partnerId,
  programId: link.programId,
  linkId: link.id,
  slug: link.slug,
  subIds,
  country: place.country,
  device: agent.deviceClass,
  os: agent.os,
  visitorId,
  atMs,
});
