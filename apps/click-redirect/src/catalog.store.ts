import {
  type EntityState,
  LinkChanged,
  type LinkData,
  PartnerChanged,
  type PartnerData,
  ProgramChanged,
  type ProgramData,
  type Received,
  type TenantData,
} from '@baton/contracts';
import { type Plan, planOf, type Terms, termsInForce } from './domain/decision';

/** A link as a click needs it. */
export interface CatalogLink {
  readonly tenantId: string;
  readonly id: string;
  readonly number: number;
  readonly programId: string;
  readonly partnerId: string;
  readonly partnerKey: string | null;
  readonly slug: string;
  readonly subIds: Readonly<Record<string, string>>;
}
export type Found = { readonly link: CatalogLink; readonly plan: Plan };

export interface CatalogStore {
  /** Changes in any order and any number of times: of each entity the highest version stays. Tombstones are keys of the catalog topic. */
  apply(events: readonly Received[], tombstoneKeys: readonly string[]): void;
  /** Where a visitor of this slug goes at an instant. Undefined: no such link. */
  find(slug: string, atMs: number): Found | undefined;
  /** The highest catalog version seen. */
  readonly version: number;
  readonly linkCount: number;
}

interface Program {
  readonly id: string;
  /** Highest version first. */
  versions: Terms[];
}
interface Partner {
  readonly id: string;
  version: number;
  state: EntityState;
  key: string | null;
}
interface Link extends Omit<CatalogLink, 'partnerKey'> {
  readonly version: number;
  readonly catalogVersion: number;
  readonly data: LinkData;
  readonly program: Program;
  readonly partner: Partner;
  /** The last plan and what it was made from: a link's redirect is rendered once for each of its terms. */
  made: { readonly terms: Terms | undefined; readonly partnerVersion: number; readonly found: Found } | null;
}

const NO_SUB_IDS: Readonly<Record<string, string>> = {};

/** The whole catalog in this process: a redirect asks nobody. */
export class MemoryCatalogStore implements CatalogStore {
  private readonly links = new Map<string, Link>();
  /** Programs and partners by `tenant:id`, also those that were only named so far. A link of one tenant never meets another's program. */
  private readonly programs = new Map<string, Program>();
  private readonly partners = new Map<string, Partner>();
  private newest = 0;

  get version(): number {
    return this.newest;
  }
  get linkCount(): number {
    return this.links.size;
  }

  apply(events: readonly Received[], tombstoneKeys: readonly string[]): void {
    for (const event of events) {
      const { ceType } = event.contract;
      if (ceType === LinkChanged.ceType) this.putLink(event.data as LinkData);
      else if (ceType === ProgramChanged.ceType) this.putProgram(event.data as ProgramData);
      else if (ceType === PartnerChanged.ceType) this.putPartner(event.data as PartnerData);
      const { catalogVersion } = event.data as TenantData & { catalogVersion?: number };
      if (catalogVersion !== undefined && catalogVersion > this.newest) this.newest = catalogVersion;
    }
    this.bury(tombstoneKeys);
  }

  find(slug: string, atMs: number): Found | undefined {
    const link = this.links.get(slug);
    if (!link) return undefined;
    const terms = termsInForce(link.program.versions, atMs);
    const { partner } = link;
    if (!link.made || link.made.terms !== terms || link.made.partnerVersion !== partner.version) {
      const plan = planOf({ link: link.data, terms, partner, isProgramKnown: link.program.versions.length > 0 });
      const { tenantId, id, number, programId, partnerId, subIds } = link;
      const found = { link: { tenantId, id, number, slug, programId, partnerId, partnerKey: partner.key, subIds }, plan };
      link.made = { terms, partnerVersion: partner.version, found };
    }
    return link.made.found;
  }

  private putLink(data: LinkData): void {
    const before = this.links.get(data.slug);
    // A slug that passed from a buried link to a new one belongs to the later change.
    const isNewer = !before || (before.id === data.id ? data.version > before.version : data.catalogVersion > before.catalogVersion);
    if (!isNewer) return;
    const program = this.program(data.tenantId, data.programId);
    const partner = this.partner(data.tenantId, data.partnerId);
    this.links.set(data.slug, {
      tenantId: data.tenantId,
      id: data.id,
      number: data.number,
      slug: data.slug,
      // One text for all links of a program: a million links would hold a million copies.
      programId: program.id,
      partnerId: partner.id,
      subIds: Object.keys(data.subIds).length === 0 ? NO_SUB_IDS : data.subIds,
      version: data.version,
      catalogVersion: data.catalogVersion,
      data,
      program,
      partner,
      made: null,
    });
  }

  private putProgram(data: ProgramData): void {
    const program = this.program(data.tenantId, data.id);
    if (program.versions.some((terms) => terms.version === data.version)) return;
    const { version, state, destinationHosts: hosts, allowHttp, landingParam, utm, fallbackUrl } = data;
    const terms: Terms = {
      version,
      state,
      validFromMs: Date.parse(data.validFrom),
      hosts,
      allowHttp,
      landingParam,
      utm,
      fallbackUrl: fallbackUrl ?? null,
      utmConvention: data.utmConvention ?? null,
      deepLinkSchemes: data.deepLinkSchemes ?? [],
      appStores: data.appStores ?? null,
    };
    program.versions = [...program.versions, terms].sort((a, b) => b.version - a.version);
  }

  private putPartner({ tenantId, id, version, state, key }: PartnerData): void {
    const partner = this.partner(tenantId, id);
    if (version > partner.version) Object.assign(partner, { version, state, key });
  }

  private program(tenantId: string, id: string): Program {
    const key = `${tenantId}:${id}`;
    const program = this.programs.get(key) ?? { id, versions: [] };
    this.programs.set(key, program);
    return program;
  }

  /** A partner that is not known yet refuses nobody. */
  private partner(tenantId: string, id: string): Partner {
    const key = `${tenantId}:${id}`;
    const partner = this.partners.get(key) ?? { id, version: 0, state: 'active', key: null };
    this.partners.set(key, partner);
    return partner;
  }

  /** `tenant:link:id`: rare, so that one walk over all links is cheaper than a second index over them. */
  private bury(keys: readonly string[]): void {
    const buried = new Set(keys.filter((key) => key.split(':')[1] === 'link'));
    if (buried.size === 0) return;
    for (const [slug, link] of this.links) if (buried.has(`${link.tenantId}:link:${link.id}`)) this.links.delete(slug);
  }
}
