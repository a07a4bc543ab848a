import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { LinkChanged, type Received } from '@baton/contracts';
import { domain, link, log, NOW, openCatalog, OTHER, outcome, partner, program, SPRING, TENANT } from '../specs/catalog.fixture';
import { openCatalogReader } from './catalog.reader';
import { CatalogStore } from './catalog.store';
import { generationFolder, makeCurrent } from './generations';

type Catalog = Awaited<ReturnType<typeof openCatalog>>;
const open: Catalog[] = [];

async function catalogOf(...events: Received[]): Promise<Catalog> {
  const catalog = await openCatalog();
  open.push(catalog);
  catalog.apply(events);
  return catalog;
}
afterEach(async () => {
  for (const catalog of open.splice(0)) {
    await catalog.close();
    rmSync(catalog.folder, { recursive: true });
  }
});

const SECOND = { id: '44444444-4444-4444-8444-444444444445', number: 2 };
const HOST = 'go.shop.example';

describe('the catalog on disk', () => {
  it('leads a link to its destination with the convention of its program, by slug and by number', async () => {
    const { reader } = await catalogOf(program(), partner(), link());
    expect([outcome(reader), outcome(reader, 'Garden-Spring'), reader.linkCount]).toEqual([SPRING, 'unknown', 1]);
    expect(reader.linkByNumber(1, NOW)).toEqual(reader.find('garden-spring', NOW));
    expect(reader.linkByNumber(2, NOW)).toBeUndefined();
    expect(reader.find('garden-spring', NOW)!.link.partnerKey).toBe('garden-blog');
  });

  it('gives back everything that a link and its program say', async () => {
    const targets = [{ countries: ['DE'], devices: ['mobile'], choices: [{ destination: 'https://shop.example/de', weight: 3 }] }];
    const said = { utm: { campaign: 'summer' }, startsAt: '2026-05-01T00:00:00.000Z', endsAt: '2026-07-01T00:00:00.000Z', clickCap: 7 };
    const rest = { subIds: { sub1: 'x' }, fallbackUrl: 'https://shop.example/else', targets, deepLink: 'acme://spring' };
    const appStores = { appStoreUrl: 'https://apps.apple.com/app/id1', playPackage: 'com.acme.shop' };
    const terms = { utmConvention: { sources: ['news'], campaigns: ['summer'], terms: [] }, deepLinkSchemes: ['acme'], appStores };
    const { store, reader } = await catalogOf(program(terms), partner(), link({ ...said, ...rest }));
    expect(store.link('garden-spring')).toMatchObject({ ...said, ...rest });
    expect(reader.program(TENANT, LinkChanged.sample.programId, NOW)).toMatchObject(terms);
    expect(reader.program(OTHER, LinkChanged.sample.programId, NOW)).toBeUndefined();
  });

  it('obeys a link, a program and a partner that are disabled, also when their redirect was rendered before', async () => {
    const { reader, apply } = await catalogOf(program(), partner(), link());
    const after = (...events: Received[]) => {
      apply(events);
      return outcome(reader);
    };
    expect(outcome(reader)).toBe(SPRING);
    expect(after(link({ version: 2, state: 'disabled' }))).toBe('link_disabled');
    expect(after(link({ version: 3 }))).toBe(SPRING);
    expect(after(partner({ version: 2, state: 'disabled' }))).toBe('partner_disabled');
    expect(after(partner({ version: 3 }))).toBe(SPRING);
    expect(after(link({ version: 4, state: 'deleted' }))).toBe('link_deleted');
    expect(after(link({ version: 5 }))).toBe(SPRING);
    expect(after(program({ version: 2, state: 'disabled' }))).toBe('program_disabled');
  });

  it('changes terms at the instant at which they begin, forwards and backwards', async () => {
    const { reader } = await catalogOf(program(), link(), program({ version: 2, validFrom: '2026-06-01T00:00:00.001Z', utm: {} }));
    const BARE = 'https://shop.example/spring';
    const seen = [NOW, NOW + 1, NOW, Date.parse('2025-12-31T23:59:59.999Z'), NOW].map((ms) => outcome(reader, 'garden-spring', ms));
    expect(seen).toEqual([SPRING, BARE, SPRING, 'program_not_begun', SPRING]);
  });

  it("never puts a link under another tenant's program or partner", async () => {
    const theirs = [program({ tenantId: OTHER }), partner({ tenantId: OTHER, state: 'disabled' })];
    const { reader, apply } = await catalogOf(...theirs, link());
    expect(outcome(reader)).toBe('program_unknown');
    apply([program()]);
    expect(outcome(reader)).toBe(SPRING);
  });

  it("under a tenant's own domain finds that tenant's links alone, and its host by exact name", async () => {
    const apps = { appleApps: [{ appId: 'ABCDE12345.com.acme' }], androidApps: [{ package: 'com.acme', fingerprints: ['AA'] }] };
    const { reader, apply } = await catalogOf(program(), link(), domain({ rootUrl: 'https://shop.example/', ...apps }));
    expect([outcome(reader, 'garden-spring', NOW, TENANT), outcome(reader, 'garden-spring', NOW, OTHER)]).toEqual([SPRING, 'unknown']);
    expect(reader.domain(HOST)).toMatchObject({ tenantId: TENANT, state: 'active', rootUrl: 'https://shop.example/', ...apps });
    expect([reader.domain('shop.example'), reader.domain(''), reader.domain('x'.repeat(5_000))]).toEqual([undefined, undefined, undefined]);
    // A host that was given up passes to whoever registers it next; the former owner's end does not take it away.
    apply([domain({ tenantId: OTHER, id: SECOND.id, catalogVersion: 5 })]);
    apply([domain({ version: 2, state: 'deleted', catalogVersion: 4 })], [`${TENANT}:domain:66666666-6666-4666-8666-666666666666`]);
    expect(reader.domain(HOST)?.tenantId).toBe(OTHER);
    apply([domain({ tenantId: OTHER, id: SECOND.id, catalogVersion: 6, version: 2, host: 'to.shop.example' })]);
    expect([reader.domain(HOST), reader.domain('to.shop.example')?.tenantId]).toEqual([undefined, OTHER]);
  });

  it('forgets a buried link, and keeps the one of another tenant that bears the same id', async () => {
    const other = { tenantId: OTHER, slug: 'other', number: 2 };
    const { reader, apply } = await catalogOf(program(), link(), program({ tenantId: OTHER }), link(other));
    apply([], [`${TENANT}:link:${LinkChanged.sample.id}`, `${TENANT}:program:${LinkChanged.sample.programId}:1`]);
    expect([outcome(reader), outcome(reader, 'other'), reader.linkByNumber(1, NOW), reader.linkCount]).toEqual([
      'unknown',
      SPRING,
      undefined,
      1,
    ]);
    expect(reader.program(TENANT, LinkChanged.sample.programId, NOW)).toBeUndefined();
  });

  it('gives a slug to the later change, in any order, and burying its former owner does not take it away', async () => {
    const former = link({ catalogVersion: 1, state: 'deleted' });
    const later = link({ ...SECOND, catalogVersion: 2, destination: 'https://shop.example/new' });
    for (const events of [
      [former, later],
      [later, former],
    ]) {
      const { reader, apply } = await catalogOf(program({ utm: {} }), ...events);
      expect([outcome(reader), reader.linkByNumber(1, NOW)?.link.number]).toEqual(['https://shop.example/new', 1]);
      apply([], [`${TENANT}:link:${LinkChanged.sample.id}`]);
      expect([outcome(reader), reader.linkByNumber(1, NOW)]).toEqual(['https://shop.example/new', undefined]);
    }
  });

  it('ends in the same state whatever the order, the repeats and the batches', async () => {
    const events = [
      program({ catalogVersion: 1 }),
      program({ version: 2, catalogVersion: 2, validFrom: '2026-05-01T00:00:00.000Z', landingParam: 'ref' }),
      program({ version: 3, catalogVersion: 6, validFrom: '2026-07-01T00:00:00.000Z', state: 'disabled' }),
      partner({ catalogVersion: 3 }),
      partner({ version: 2, catalogVersion: 8, state: 'disabled' }),
      partner({ version: 3, catalogVersion: 9 }),
      link({ catalogVersion: 4 }),
      link({ version: 2, catalogVersion: 5, destination: 'https://shop.example/summer' }),
      link({ version: 3, catalogVersion: 7, destination: 'https://shop.example/autumn', state: 'deleted' }),
      link({ ...SECOND, catalogVersion: 10 }),
      link({ ...SECOND, number: 3, id: TENANT, slug: 'third', catalogVersion: 11 }),
      domain({ catalogVersion: 12 }),
      domain({ catalogVersion: 13, version: 2, state: 'deleted' }),
      domain({ catalogVersion: 14, tenantId: OTHER }),
    ];
    const times = [0, NOW, Date.parse('2026-08-01T00:00:00.000Z')];
    const state = ({ reader }: Catalog) => [
      ...[reader.version, reader.linkCount, reader.domain(HOST)],
      ...times.flatMap((ms) => [1, 2, 3].map((number) => reader.linkByNumber(number, ms))),
      ...times.flatMap((ms) => ['garden-spring', 'third'].map((slug) => reader.find(slug, ms))),
    ];
    const expected = state(await catalogOf(...events));
    const shuffled = fc.shuffledSubarray([...events, ...events], { minLength: events.length * 2 });
    await fc.assert(
      fc.asyncProperty(shuffled, fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 28, maxLength: 28 }), async (order, sizes) => {
        const catalog = await catalogOf();
        const rest = [...order];
        while (rest.length > 0) {
          catalog.apply(rest.splice(0, sizes.pop()));
          // Rendering in between must leave nothing stale behind.
          catalog.reader.find('garden-spring', NOW);
        }
        expect(state(catalog)).toEqual(expected);
      }),
      { numRuns: 40 },
    );
  });

  it('keeps how far it has read with what it has read, also when it is opened again', async () => {
    const catalog = await openCatalog();
    catalog.apply([program({ catalogVersion: 4 }), link({ catalogVersion: 9 }), partner({ catalogVersion: 7 })]);
    await catalog.close();
    const again = await openCatalog(catalog.folder);
    open.push(again);
    expect([again.reader.isLoaded, again.reader.version, again.reader.linkCount]).toEqual([true, 9, 1]);
    expect(again.store.meta).toMatchObject({ clusterId: 'a-cluster', next: { '0': '1' }, version: 9 });
  });

  it('takes nothing of a batch that fails half-way', async () => {
    const { store, reader, apply } = await catalogOf(program(), link());
    // No contract lets it through; LMDB takes no such key.
    const impossible = {
      contract: LinkChanged,
      data: { ...LinkChanged.sample, version: 2, slug: 'x'.repeat(5_000) },
    } as unknown as Received;
    expect(() => apply([link({ ...SECOND, slug: 'second' }), impossible])).toThrow();
    reader.refresh();
    expect([outcome(reader), outcome(reader, 'second'), store.meta.next]).toEqual([SPRING, 'unknown', { '0': '1' }]);
  });
});

describe('a writer that is killed', () => {
  it('leaves a store whose offset is that of its content', async () => {
    const { folder, close } = await openCatalog();
    await close();
    const generation = generationFolder(folder, 1);
    let reached = 0n;
    for (const afterMs of [40, 90, 25, 130, 60]) {
      await killedAfter(generation, afterMs);
      makeCurrent(folder, 1);
      const reader = await openCatalogReader(folder, log);
      const store = new CatalogStore(generation);
      const offset = BigInt(store.meta.next['0']!);
      // Each offset is one link.
      expect([reader.linkCount, store.meta.version]).toEqual([Number(offset), Number(offset)]);
      for (let number = 1; number <= reader.linkCount; number++) {
        expect(reader.find(`slug-${number}`, NOW)?.link.number).toBe(number);
      }
      expect(offset).toBeGreaterThan(reached);
      reached = offset;
      await reader.close();
      await store.close();
    }
    rmSync(folder, { recursive: true });
  }, 60_000);
});

/** Writes batches of 50 links, each link one offset, until SIGKILL comes. */
const WRITING = `
const { CatalogStore } = require(process.argv[1]);
const { LinkChanged } = require('@baton/contracts');
const store = new CatalogStore(process.argv[2]);
let offset = Number(store.meta.next['0'] ?? 0);
for (;;) {
  const events = Array.from({ length: 50 }, () => {
    offset += 1;
    const id = '44444444-4444-4444-8444-' + String(offset).padStart(12, '0');
    return { contract: LinkChanged, data: { ...LinkChanged.sample, id, number: offset, slug: 'slug-' + offset, catalogVersion: offset } };
  });
  store.apply(events, [], { clusterId: 'a-cluster', partition: 0, offset: BigInt(offset) });
  process.stdout.write('.');
}`;

async function killedAfter(folder: string, ms: number): Promise<void> {
  const store = join(__dirname, '../../dist/catalog/catalog.store.js');
  const child = spawn(process.execPath, ['-e', WRITING, store, folder], { cwd: __dirname, stdio: ['ignore', 'pipe', 'inherit'] });
  await once(child.stdout, 'data');
  // Any instant will do: it falls into a batch, between two, or into the flush.
  setTimeout(() => child.kill('SIGKILL'), ms);
  const [, signal] = (await once(child, 'exit')) as [number | null, string | null];
  expect(signal).toBe('SIGKILL');
}
