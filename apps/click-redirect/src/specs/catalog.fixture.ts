import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  DomainChanged,
  type DomainData,
  emit,
  encode,
  type EventContract,
  LinkChanged,
  type LinkData,
  parse,
  PartnerChanged,
  type PartnerData,
  ProgramChanged,
  type ProgramData,
  type Received,
  type TenantData,
} from '@baton/contracts';
import { createLog } from '@baton/platform';
import { type CatalogReader, openCatalogReader } from '../catalog/catalog.reader';
import { CatalogStore } from '../catalog/catalog.store';
import { currentGeneration, generationFolder, makeCurrent } from '../catalog/generations';
import { decide } from '../domain/decision';
import { render } from '../domain/landing';

export const TENANT = '11111111-1111-4111-8111-111111111111';
export const OTHER = '99999999-9999-4999-8999-999999999999';
export const NOW = Date.parse('2026-06-01T00:00:00.000Z');
export const SPRING = 'https://shop.example/spring?utm_source=partner&utm_medium=referral&utm_campaign=spring';
export const log = createLog('click-redirect', 'silent');

/** By way of the wire: what the follower hands over. */
function received<T extends TenantData>(contract: EventContract<T>, data: T): Received {
  const message = encode(emit(contract, data));
  return parse(contract.topic, { ...message, value: Buffer.from(message.value) });
}
export const link = (change: Partial<LinkData> = {}) => received(LinkChanged, { ...LinkChanged.sample, ...change });
export const program = (change: Partial<ProgramData> = {}) => received(ProgramChanged, { ...ProgramChanged.sample, ...change });
export const partner = (change: Partial<PartnerData> = {}) => received(PartnerChanged, { ...PartnerChanged.sample, ...change });
export const domain = (change: Partial<DomainData> = {}) => received(DomainChanged, { ...DomainChanged.sample, ...change });

export const at = (offset: number) => ({ clusterId: 'a-cluster', partition: 0, offset: BigInt(offset) });
export const folderOfItsOwn = (): string => mkdtempSync(join(tmpdir(), 'baton-catalog-'));

/** A store and a reader on the same folder, as two threads have them. */
export async function openCatalog(folder = folderOfItsOwn()) {
  const generation = currentGeneration(folder) ?? 1;
  const store = new CatalogStore(generationFolder(folder, generation));
  makeCurrent(folder, generation);
  const reader = await openCatalogReader(folder, log);
  let offset = 0;
  return {
    folder,
    store,
    reader,
    apply: (events: readonly Received[], tombstones: readonly string[] = []) => {
      store.apply(events, tombstones, at(++offset));
      reader.refresh();
    },
    close: async () => {
      await reader.close();
      await store.close();
    },
  };
}

/** Where a visitor of this slug goes, without a click id; or why nowhere. */
export function outcome(reader: CatalogReader, slug = 'garden-spring', atMs = NOW, tenantId?: string): string {
  const found = reader.find(slug, atMs, tenantId);
  if (!found) return 'unknown';
  const decision = decide(found.plan, { atMs, country: null, device: 'desktop', visitorKey: 'v', counted: 0 });
  if (decision.kind !== 'redirect') return decision.kind === 'fallback' ? decision.url : decision.reason;
  const { link } = found;
  const values = { ...link, linkId: link.id, country: null, device: 'desktop', os: null, visitorId: null, atMs };
  return render(decision.landing, values, null);
}
