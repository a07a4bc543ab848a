import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { emit, encode, LinkChanged, PartnerChanged, parse, ProgramChanged, type Received } from '@baton/contracts';
import { createLog } from '@baton/platform';
import { openCatalogReader } from './catalog.reader';
import { CatalogStore } from './catalog.store';
import { generationFolder, makeCurrent } from './generations';

/** `node dist/catalog/catalog.bench.js [links]`: what the catalog on disk costs, in a folder of its own. */
const LINKS = Number(process.argv[2] ?? 1_000_000);
const BATCH = 2_000;
const FINDS = 200_000;
const SEEN_BEFORE = 1_000;

const say = (what: string, value: string): void => void process.stdout.write(`${what.padEnd(58)} ${value}\n`);
const rssMb = (): string => {
  const { rss, heapUsed } = process.memoryUsage();
  return `${Math.round(rss / 1e6)} MB, of them JavaScript ${Math.round(heapUsed / 1e6)} MB`;
};
const uuid = (n: number): string =>
  `${(Math.imul(n, 2_654_435_761) >>> 0).toString(16).padStart(8, '0')}-4444-4444-8444-${String(n).padStart(12, '0')}`;
const slugOf = (n: number): string => `link-${n.toString(36)}`;
const linkData = (n: number) => ({
  ...LinkChanged.sample,
  id: uuid(n),
  number: n,
  slug: slugOf(n),
  catalogVersion: n,
  destination: `https://shop.example/products/${n}?ref=partner`,
});

async function bench(): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'baton-bench-'));
  const log = createLog('bench', 'error');
  try {
    load(folder);
    const openedMs = performance.now();
    const reader = await openCatalogReader(folder, log);
    say(`open ${reader.linkCount} links from disk`, `${(performance.now() - openedMs).toFixed(1)} ms`);
    const store = new CatalogStore(generationFolder(folder, 1));
    const slugs = Array.from({ length: FINDS }, () => slugOf(1 + Math.floor(Math.random() * LINKS)));
    time('read a random link from disk', slugs, (slug) => store.link(slug));
    time('find a random link, its plan made anew', slugs, (slug) => reader.find(slug, Date.now()));
    const few = slugs.map((_, i) => slugs[i % SEEN_BEFORE]!);
    time(`find one of ${SEEN_BEFORE} links that were seen before`, few, (slug) => reader.find(slug, 1_800_000_000_000));
    time('find nothing', slugs, (slug) => reader.find(`x${slug}`, 1_800_000_000_000));
    say('memory of the process after it, mapped pages of the file in it', rssMb());
    await reader.close();
    await store.close();
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function load(folder: string): void {
  const store = new CatalogStore(generationFolder(folder, 1));
  const position = (offset: number) => ({ clusterId: 'bench', partition: 0, offset: BigInt(offset) });
  store.apply(
    [received(emit(ProgramChanged, ProgramChanged.sample)), received(emit(PartnerChanged, PartnerChanged.sample))],
    [],
    position(1),
  );
  const startedMs = performance.now();
  let [parsedMs, appliedMs] = [0, 0];
  for (let first = 1; first <= LINKS; first += BATCH) {
    const messages = Array.from({ length: Math.min(BATCH, LINKS - first + 1) }, (_, i) => encode(emit(LinkChanged, linkData(first + i))));
    const parsing = process.cpuUsage();
    const events = messages.map(({ value, ...message }) => parse(LinkChanged.topic, { ...message, value: Buffer.from(value) }));
    parsedMs += cpuMs(parsing);
    const applying = process.cpuUsage();
    store.apply(events, [], position(first + events.length));
    appliedMs += cpuMs(applying);
  }
  say(`write ${LINKS} links, ${BATCH} to a transaction`, `${((performance.now() - startedMs) / 1000).toFixed(1)} s`);
  say('of it processor time that reads and checks the messages', `${(parsedMs / 1000).toFixed(1)} s`);
  say('of it processor time that writes them', `${(appliedMs / 1000).toFixed(1)} s`);
  say('on disk', `${Math.round(statSync(join(generationFolder(folder, 1), 'data.mdb')).size / 1e6)} MB`);
  say('memory of the process after it', rssMb());
  makeCurrent(folder, 1);
}

function received(event: ReturnType<typeof emit>): Received {
  const { value, ...message } = encode(event);
  return parse(event.contract.topic, { ...message, value: Buffer.from(value) });
}

/** In processor time: a busy machine tells nothing else. */
function time(what: string, slugs: readonly string[], look: (slug: string) => unknown): void {
  const before = process.cpuUsage();
  let found = 0;
  for (const slug of slugs) if (look(slug)) found += 1;
  say(`${what} (${found} found)`, `${((cpuMs(before) * 1000) / slugs.length).toFixed(2)} us`);
}

function cpuMs(before: NodeJS.CpuUsage): number {
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1000;
}

void bench();
