import { statSync, truncateSync } from 'node:fs';
import { join } from 'node:path';
import {
  DomainChanged,
  type DomainData,
  LinkChanged,
  type LinkData,
  PartnerChanged,
  type PartnerData,
  ProgramChanged,
  type ProgramData,
  type Received,
} from '@baton/contracts';
import type { FollowerPosition } from '@baton/platform';
import { type Database, open, type RootDatabase } from 'lmdb';
import type { Terms } from '../domain/decision';
import {
  type DomainRow,
  domainRow,
  type LinkRow,
  type PackedLink,
  packLink,
  type PartnerRow,
  partnerRow,
  supersedes,
  termsOf,
  unpackLink,
  withTerms,
} from './rows';

/** What the store says of itself; written with the changes that it speaks of, in one transaction. */
export interface CatalogMeta {
  /** The highest catalog version seen. */
  readonly version: number;
  /** Null before the first batch. */
  readonly clusterId: string | null;
  /** Next offset of each partition. */
  readonly next: Readonly<Record<string, string>>;
  /** When it last held all that the topic held, or when its reading began. */
  readonly freshMs: number;
}

/** Address space alone, not memory: room for more than a hundred million links, so that the map never has to move under a reader. */
const MAP_MAX_BYTES = 64 * 2 ** 30;

/**
 * One generation of the catalog on local disk, in LMDB. One process at a time; one thread of it writes, any thread reads through a handle of
 * its own. Commits are synced in LMDB's own order (pages, then the root): whatever instant the process or the machine dies at, the store is
 * that of some commit, and the offset in it is the offset of that content.
 */
export class CatalogStore {
  private readonly file: string;
  private readonly root: RootDatabase<unknown, string>;
  private readonly links: Database<PackedLink, number>;
  /** To a link's number. */
  private readonly slugs: Database<number, string>;
  /** `tenant:id` to a link's number, to a domain's host. */
  private readonly ids: Database<number | string, string>;
  /** By `tenant:id`: a link of one tenant never meets another's program. */
  private readonly programs: Database<readonly Terms[], string>;
  private readonly partners: Database<PartnerRow, string>;
  private readonly domains: Database<DomainRow, string>;
  private readonly metas: Database<CatalogMeta, string>;

  constructor(folder: string) {
    this.file = join(folder, 'data.mdb');
    // Never `readOnly`: within one process lmdb shares one environment among its openers, and what was opened so first lets nobody write.
    this.root = open({
      path: folder,
      mapSize: MAP_MAX_BYTES,
      // A flush behind the commit would let a power cut take commits back to a boot id; one flush for each batch costs nothing that counts.
      overlappingSync: false,
      encoder: { useRecords: false },
    });
    const table = <V, K extends number | string = string>(name: string): Database<V, K> => this.root.openDB<V, K>(name, {});
    this.links = table('links');
    this.slugs = table('slugs');
    this.ids = table('ids');
    this.programs = table('programs');
    this.partners = table('partners');
    this.domains = table('domains');
    this.metas = table('meta');
  }

  link = (slug: string): LinkRow | undefined => {
    const number = this.slugs.get(slug);
    return number === undefined ? undefined : this.linkByNumber(number);
  };
  linkByNumber = (number: number): LinkRow | undefined => {
    const packed = this.links.get(number);
    return packed && unpackLink(packed);
  };
  /** Highest version first; empty: unknown. */
  termsOf = (tenantId: string, programId: string): readonly Terms[] => this.programs.get(`${tenantId}:${programId}`) ?? [];
  /** By `tenant:id`. */
  partner = (key: string): PartnerRow | undefined => this.partners.get(key);
  domain = (host: string): DomainRow | undefined => this.domains.get(host);

  get meta(): CatalogMeta {
    return this.metas.get('meta') ?? { version: 0, clusterId: null, next: {}, freshMs: 0 };
  }
  get linkCount(): number {
    return (this.links.getStats() as { entryCount: number }).entryCount;
  }

  /** What was committed by another thread becomes visible. */
  refresh(): void {
    this.root.resetReadTxn();
  }

  /** Changes in any order and any number of times, then tombstones, and how far they reach: all or nothing, on disk when it returns. */
  apply(events: readonly Received[], tombstoneKeys: readonly string[], read: FollowerPosition): void {
    this.root.transactionSync(() => {
      let { version } = this.meta;
      for (const event of events) {
        this.put(event);
        version = Math.max(version, (event.data as { catalogVersion?: number }).catalogVersion ?? 0);
      }
      for (const key of tombstoneKeys) this.bury(key);
      const { clusterId, partition, offset } = read;
      this.write({ version, clusterId, next: { ...this.meta.next, [partition]: offset.toString() } });
    });
    this.fillUp();
  }

  markFresh(freshMs: number): void {
    this.root.transactionSync(() => this.write({ freshMs }));
  }

  async close(): Promise<void> {
    await this.root.close();
  }

  /** LMDB does not write pages that a transaction took and gave back at the end of the file; for `damageOf` a shorter file is a cut one. */
  private fillUp(): void {
    const { lastPageNumber, root } = this.root.getStats() as { lastPageNumber: number; root: { pageSize: number } };
    const neededBytes = (lastPageNumber + 1) * root.pageSize;
    if (statSync(this.file).size < neededBytes) truncateSync(this.file, neededBytes);
  }

  private write(change: Partial<CatalogMeta>): void {
    void this.metas.put('meta', { ...this.meta, ...change });
  }

  private put({ contract: { ceType }, data }: Received): void {
    if (ceType === LinkChanged.ceType) this.putLink(data as LinkData);
    else if (ceType === ProgramChanged.ceType) this.putProgram(data as ProgramData);
    else if (ceType === PartnerChanged.ceType) this.putPartner(data as PartnerData);
    else if (ceType === DomainChanged.ceType) this.putDomain(data as DomainData);
  }

  private putLink(data: LinkData): void {
    const before = this.linkByNumber(data.number);
    if (!supersedes(data, before)) return;
    if (before && before.slug !== data.slug) this.free(before);
    void this.links.put(data.number, packLink(data));
    void this.ids.put(`${data.tenantId}:link:${data.id}`, data.number);
    const holder = this.link(data.slug);
    if (supersedes(data, holder?.number === data.number ? undefined : holder)) void this.slugs.put(data.slug, data.number);
  }

  private putProgram(data: ProgramData): void {
    const before = this.termsOf(data.tenantId, data.id);
    const after = withTerms(before, termsOf(data));
    if (after !== before) void this.programs.put(`${data.tenantId}:${data.id}`, after);
  }

  private putPartner(data: PartnerData): void {
    const before = this.partner(`${data.tenantId}:${data.id}`);
    if (!before || data.version > before.version) void this.partners.put(`${data.tenantId}:${data.id}`, partnerRow(data));
  }

  private putDomain(data: DomainData): void {
    const id = `${data.tenantId}:domain:${data.id}`;
    const formerHost = this.ids.get(id);
    const former = formerHost === undefined ? undefined : this.domain(formerHost as string);
    if (!supersedes(data, former) || !supersedes(data, this.domain(data.host))) return;
    if (former && former.host !== data.host) void this.domains.remove(former.host);
    void this.domains.put(data.host, domainRow(data));
    void this.ids.put(id, data.host);
  }

  /** Its slug leads nowhere, unless it passed to another link. */
  private free({ slug, number }: LinkRow): void {
    if (this.slugs.get(slug) === number) void this.slugs.remove(slug);
  }

  /** Of programs a tombstone names one version. */
  private bury(key: string): void {
    const [tenantId, type, id, version] = key.split(':');
    if (type === 'link') this.buryLink(key);
    else if (type === 'domain') this.buryDomain(key);
    else if (type === 'partner') void this.partners.remove(`${tenantId}:${id}`);
    else if (type === 'program') this.buryTerms(`${tenantId}:${id}`, Number(version));
  }

  private buryLink(key: string): void {
    const number = this.ids.get(key);
    const link = number === undefined ? undefined : this.linkByNumber(number as number);
    if (!link) return;
    this.free(link);
    void this.links.remove(link.number);
    void this.ids.remove(key);
  }

  private buryDomain(key: string): void {
    const host = this.ids.get(key);
    if (host === undefined) return;
    const domain = this.domain(host as string);
    if (domain && `${domain.tenantId}:domain:${domain.id}` === key) void this.domains.remove(host as string);
    void this.ids.remove(key);
  }

  private buryTerms(key: string, version: number): void {
    const rest = (this.programs.get(key) ?? []).filter((terms) => terms.version !== version);
    if (rest.length === 0) void this.programs.remove(key);
    else void this.programs.put(key, rest);
  }
}
