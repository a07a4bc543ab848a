import type { AndroidApp, AppleApp, EntityState } from '@baton/contracts';
import type { Log } from '@baton/platform';
import { type Plan, planOf, type Terms, termsInForce } from '../domain/decision';
import { rootUrlOf } from '../domain/root-url';
import { BoundedCache } from './cache';
import { CatalogStore } from './catalog.store';
import { currentGeneration, damageOf, generationFolder } from './generations';
import type { LinkRow, PartnerRow } from './rows';

/** A link as a click needs it. */
export interface CatalogLink {
  readonly tenantId: string;
  readonly id: string;
  readonly number: number;
  readonly slug: string;
  readonly programId: string;
  readonly partnerId: string;
  /** Null: the partner is not known yet. */
  readonly partnerKey: string | null;
  readonly subIds: Readonly<Record<string, string>>;
}
export interface Found {
  readonly link: CatalogLink;
  readonly plan: Plan;
  readonly terms: Terms | undefined;
}
export interface CatalogDomain {
  readonly tenantId: string;
  readonly host: string;
  readonly state: EntityState;
  readonly rootUrl: string | null;
  readonly appleApps: readonly AppleApp[];
  readonly androidApps: readonly AndroidApp[];
}

/** The catalog as the answering thread sees it: synchronous, from this machine alone. */
export interface CatalogReader {
  /** Undefined: no such link. With a tenant (its own domain), only that tenant's links are found. */
  find(slug: string, atMs: number, tenantId?: string): Found | undefined;
  linkByNumber(number: number, atMs: number): Found | undefined;
  /** Host in lower case, without port. */
  domain(host: string): CatalogDomain | undefined;
  /** The terms in force. */
  program(tenantId: string, programId: string, atMs: number): Terms | undefined;
  /** False: the catalog was never read whole on this disk; nothing that is asked means anything. */
  readonly isLoaded: boolean;
  /** The highest catalog version read. */
  readonly version: number;
  readonly linkCount: number;
  /** The writer wrote something: forget rendered plans. */
  refresh(): void;
  close(): Promise<void>;
}

export const openCatalogReader = async (folder: string, log: Log): Promise<CatalogReader> => new DiskCatalogReader(folder, log);

/** About 3 kB each: at most 160 MB of this process's memory. */
const PLANS_MAX = 50_000;
const PROGRAMS_MAX = 10_000;
const PARTNERS_MAX = 50_000;
const HOSTS_MAX = 10_000;

interface Kept {
  readonly found: Found;
  /** The plan is that of every instant from the first to before the second. */
  readonly fromMs: number;
  readonly untilMs: number;
}

class DiskCatalogReader implements CatalogReader {
  private generation: number | null = null;
  private store: CatalogStore | null = null;
  /** By slug and by number. */
  private readonly plans = new BoundedCache<string | number, Kept>(PLANS_MAX);
  private readonly programs = new BoundedCache<string, readonly Terms[]>(PROGRAMS_MAX);
  private readonly partners = new BoundedCache<string, PartnerRow | typeof UNKNOWN>(PARTNERS_MAX);
  private readonly domains = new BoundedCache<string, CatalogDomain | typeof UNKNOWN>(HOSTS_MAX);
  version = 0;
  linkCount = 0;

  constructor(
    private readonly folder: string,
    private readonly log: Log,
  ) {
    this.refresh();
  }

  get isLoaded(): boolean {
    return this.store !== null;
  }

  find(slug: string, atMs: number, tenantId?: string): Found | undefined {
    const kept = this.plans.get(slug);
    const found = kept && atMs >= kept.fromMs && atMs < kept.untilMs ? kept.found : this.plan(slug, this.store?.link(slug), atMs);
    return tenantId === undefined || found?.link.tenantId === tenantId ? found : undefined;
  }

  linkByNumber(number: number, atMs: number): Found | undefined {
    const kept = this.plans.get(number);
    if (kept && atMs >= kept.fromMs && atMs < kept.untilMs) return kept.found;
    return this.plan(number, this.store?.linkByNumber(number), atMs);
  }

  domain(host: string): CatalogDomain | undefined {
    let domain = this.domains.get(host);
    if (domain === undefined) {
      domain = this.domainOf(host) ?? UNKNOWN;
      this.domains.set(host, domain);
    }
    return domain === UNKNOWN ? undefined : domain;
  }

  program(tenantId: string, programId: string, atMs: number): Terms | undefined {
    return termsInForce(this.termsOf(tenantId, programId), atMs);
  }

  refresh(): void {
    const generation = currentGeneration(this.folder);
    if (generation !== this.generation) this.open(generation);
    this.plans.clear();
    this.programs.clear();
    this.partners.clear();
    this.domains.clear();
    this.store?.refresh();
    this.version = this.store?.meta.version ?? 0;
    this.linkCount = this.store?.linkCount ?? 0;
  }

  async close(): Promise<void> {
    await this.store?.close();
    this.store = null;
    this.generation = null;
  }

  /** A generation that cannot be opened serves nobody; the writer puts another in its place. */
  private open(generation: number | null): void {
    const former = this.store;
    this.store = null;
    this.generation = null;
    void former?.close();
    if (generation === null) return;
    try {
      const damage = damageOf(this.folder, generation);
      if (damage !== null) throw new Error(damage);
      this.store = new CatalogStore(generationFolder(this.folder, generation));
      this.generation = generation;
    } catch (error) {
      this.log.error({ folder: this.folder, generation, err: error }, 'the catalog on disk cannot be opened; it is read anew from Kafka');
    }
  }

  private plan(key: string | number, row: LinkRow | undefined, atMs: number): Found | undefined {
    if (!row) return undefined;
    const { tenantId, id, number, slug, programId, partnerId, subIds } = row;
    const versions = this.termsOf(tenantId, programId);
    const terms = termsInForce(versions, atMs);
    const partner = this.partnerOf(`${tenantId}:${partnerId}`);
    const link = { tenantId, id, number, slug, programId, partnerId, partnerKey: partner?.key ?? null, subIds };
    const plan = planOf({
      link: row,
      terms,
      // A partner that is not known yet refuses nobody.
      partner: { state: partner?.state ?? 'active', key: partner?.key ?? null },
      isProgramKnown: versions.length > 0,
    });
    const found: Found = { link, plan, terms };
    this.plans.set(key, { found, ...validityOf(versions, terms) });
    return found;
  }

  private termsOf(tenantId: string, programId: string): readonly Terms[] {
    const key = `${tenantId}:${programId}`;
    const kept = this.programs.get(key);
    if (kept) return kept;
    const versions = this.store?.termsOf(tenantId, programId) ?? [];
    this.programs.set(key, versions);
    return versions;
  }

  private partnerOf(key: string): PartnerRow | undefined {
    let partner = this.partners.get(key);
    if (partner === undefined) {
      partner = this.store?.partner(key) ?? UNKNOWN;
      this.partners.set(key, partner);
    }
    return partner === UNKNOWN ? undefined : partner;
  }

  private domainOf(host: string): CatalogDomain | undefined {
    // A longer name is no host, and LMDB takes no key of any length.
    const row = host.length > 253 || host.length === 0 ? undefined : this.store?.domain(host);
    if (!row) return undefined;
    const { tenantId, state, rootUrl, appleApps, androidApps } = row;
    return { tenantId, host, state, rootUrl: rootUrlOf(rootUrl), appleApps: appleApps ?? [], androidApps: androidApps ?? [] };
  }
}

const UNKNOWN = 'unknown';

/** As long as the same terms are in force: until a higher version begins, and not before they began themselves. `versions` is sorted, highest first. */
function validityOf(versions: readonly Terms[], terms: Terms | undefined): { fromMs: number; untilMs: number } {
  const higher = terms ? versions.slice(0, versions.indexOf(terms)) : versions;
  return {
    fromMs: terms?.validFromMs ?? -Infinity,
    untilMs: Math.min(Infinity, ...higher.map(({ validFromMs }) => validFromMs)),
  };
}
