import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { allContracts, type AndroidApp, type AppleApp, type EntityState, type Received } from '@baton/contracts';
import type { Log } from '@baton/platform';
import type { Plan } from '../domain/decision';
import { MemoryCatalogStore } from '../catalog.store';
export interface CatalogLink {
  readonly tenantId: string;
  readonly id: string;
  readonly number: number;
  readonly slug: string;
  readonly programId: string;
  readonly partnerId: string;
  readonly partnerKey: string | null;
  readonly subIds: Readonly<Record<string, string>>;
}
export interface Found {
  readonly link: CatalogLink;
  readonly plan: Plan;
}
export interface CatalogDomain {
  readonly tenantId: string;
  readonly host: string;
  readonly state: EntityState;
  readonly rootUrl: string | null;
  readonly appleApps: readonly AppleApp[];
  readonly androidApps: readonly AndroidApp[];
}
export interface CatalogReader {
  find(slug: string, atMs: number, tenantId?: string): Found | undefined;
  domain(host: string): CatalogDomain | undefined;
  readonly isLoaded: boolean;
  readonly version: number;
  readonly linkCount: number;
  refresh(): void;
  close(): Promise<void>;
}
export async function openCatalogReader(folder: string, _log: Log): Promise<CatalogReader> {
  let store = new MemoryCatalogStore();
  const cache = new Map<string, Found>();
  let loaded = false;
  const refresh = () => {
    const file = join(folder, 'e');
    if (!existsSync(file)) return;
    store = new MemoryCatalogStore();
    cache.clear();
    const contracts = new Map(allContracts().map((c) => [c.ceType, c]));
    store.apply(
      readFileSync(file, 'utf8')
        .trim()
        .split('\n')
        .map((l) => {
          const [t, data] = JSON.parse(l);
          return { contract: contracts.get(t), data } as unknown as Received;
        }),
      [],
    );
    loaded = true;
  };
  refresh();
  return {
    find: (slug, atMs) => {
      const hit = cache.get(slug);
      if (hit) return hit;
      const f = store.find(slug, atMs);
      if (!f) return undefined;
      const found = { link: { ...f.link, slug, partnerKey: null }, plan: f.plan };
      cache.set(slug, found);
      return found;
    },
    domain: () => undefined,
    get isLoaded() {
      return loaded;
    },
    get version() {
      return store.version;
    },
    get linkCount() {
      return store.linkCount;
    },
    refresh,
    close: async () => undefined,
  };
}
