import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { parseClickIdKeys, parseNetworks } from '@baton/contracts';
import { addMetricsSource, type Composition, type Context, counter, gauge, type Part } from '@baton/platform';
import { Answers } from './answers';
import { AppLinksController } from './app-links.controller';
import { ClickCounts } from './caps/click-counts';
import { openCatalogReader } from './catalog/catalog.reader';
import { bucketOf } from './domain/visitor-key';
import type { Env } from './env';
import { FilePlaceStore } from './place.store';
import { RedirectController } from './redirect.controller';
import { KeyedSeal } from './seal';
import { FolderDisk } from './spool/disk';
import { SpooledFactLog } from './spool/fact-log';
import { lockFolder } from './spool/lock';
import { Spool } from './spool/spool';
import { SpoolTide } from './spool/tide';
import { Tally } from './tally';
import { TouchController } from './touch.controller';
import { Visitors } from './visitors';
import { WorkerThread } from './worker.part';

const MEGABYTE = 1024 * 1024;
const COUNTS_MS = 1_000;

export const spoolFolderOf = (env: Env): string => env.SPOOL_DIR ?? join(env.DATA_DIR, 'spool');

/** The composition root of the answering thread. */
export async function compose(context: Context<Env>): Promise<Composition> {
  const { env, log } = context;
  const spoolFolder = spoolFolderOf(env);
  const catalogFolder = join(env.DATA_DIR, 'catalog');
  const lock = lockFolder(spoolFolder);
  const tide = new SpoolTide();
  const spool = await Spool.open({
    disk: new FolderDisk(spoolFolder),
    tide,
    bytesMax: env.SPOOL_MAX_MB * MEGABYTE,
    waitMs: env.CLICK_ACK_MS,
    log,
  });
  const catalog = await openCatalogReader(catalogFolder, log);
  const counts = new ClickCounts();
  const worker = new WorkerThread({
    setup: {
      env: { ...env },
      spoolFolder,
      catalogFolder,
      replicaId: randomBytes(8).toString('hex'),
      tide: tide.memory,
    },
    tide,
    onCatalog: () => catalog.refresh(),
    onCounted: (totals) => counts.learn(totals),
    onRestart: () => worker.counted(counts.all),
    log,
    drainMs: env.SPOOL_DRAIN_MS,
  });
  const clickIdKeys = parseClickIdKeys(env.CLICK_ID_KEYS);
  const seal = new KeyedSeal(clickIdKeys, Buffer.from(env.ADDRESS_HASH_KEY, 'hex'));
  const visitors = new Visitors(seal, parseNetworks(env.TRUSTED_PROXIES));
  const facts = new SpooledFactLog(spool);
  const places = new FilePlaceStore();
  const now = (): number => Date.now();
  const touch = new TouchController({
    catalog,
    facts,
    visitors,
    places,
    seal,
    clickIdKeys: clickIdKeys.keys,
    newVisitorId: (addressHash, userAgentHash) => seal.visitorId(bucketOf(addressHash, userAgentHash)),
    now,
    log,
  });
  const appLinks = new AppLinksController(catalog);
  const redirect = new RedirectController({
    catalog,
    facts,
    seal,
    places,
    visitors,
    counts,
    now,
    log,
    answers: new Answers(new Tally('baton_redirects_total', 'Answers to visitors of links, by what they were', 'outcome')),
    shed: new Tally(
      'baton_clicks_shed_total',
      'Visitors sent on without a click id, because the click could not be kept, by reason',
      'reason',
    ),
  });
  const stalenessSeconds = (): number => {
    const { catalogConfirmedMs } = worker.status;
    return catalogConfirmedMs === null ? Infinity : Math.max(0, (Date.now() - catalogConfirmedMs) / 1000);
  };
  measure({ catalog, spool, worker, stalenessSeconds });
  let ticking: NodeJS.Timeout | undefined;
  const keeping: Part = {
    name: 'spool',
    start: async () => {
      ticking = setInterval(() => {
        const changed = counts.takeChanged();
        if (changed.length > 0) worker.counted(changed);
      }, COUNTS_MS);
    },
    stop: async () => {
      clearInterval(ticking);
      await spool.close();
      // The last facts are counted once they are on disk.
      worker.counted(counts.takeChanged());
    },
    unready: () => (env.SPOOL_UNREADY ? spool.unready() : undefined),
  };
  const serving: Part = {
    name: 'catalog',
    stop: async () => {
      await catalog.close();
      lock.release();
    },
    unready: () => (catalog.isLoaded ? undefined : 'the links have not been read yet'),
  };
  return {
    // Stopped in reverse: the spool takes its last facts, the worker sends them, the folder is given back.
    parts: [serving, worker, keeping],
    front: (request, response) => redirect.front(request, response),
    routes: (http) => {
      touch.routes(http);
      appLinks.routes(http);
    },
    status: () => ({
      catalog_version: catalog.version,
      catalog_staleness_seconds: Number.isFinite(stalenessSeconds()) ? stalenessSeconds() : null,
      links: catalog.linkCount,
      spool_backlog_bytes: spool.backlogBytes,
    }),
  };
}

interface Measured {
  readonly catalog: { readonly version: number; readonly linkCount: number };
  readonly spool: Spool;
  readonly worker: WorkerThread;
  readonly stalenessSeconds: () => number;
}

function measure({ catalog, spool, worker, stalenessSeconds }: Measured): void {
  const shows = (name: string, help: string, value: () => number): void => {
    gauge(name, help, [], function () {
      this.set(value());
    });
  };
  const counts = (name: string, help: string, value: () => number): void => {
    counter(name, help, [], function () {
      this.reset();
      this.inc(value());
    });
  };
  shows('baton_catalog_version', 'The highest catalog version that this process has read', () => catalog.version);
  shows(
    'baton_catalog_staleness_seconds',
    'Since the broker last confirmed that there is nothing newer; +Inf before the first time',
    stalenessSeconds,
  );
  shows('baton_catalog_links', 'Links that this process knows', () => catalog.linkCount);
  shows('baton_spool_backlog_bytes', 'Bytes of facts on disk that are not in Kafka yet', () => spool.backlogBytes);
  shows('baton_spool_unwritable', '1 while facts cannot be kept and visitors go on without a click id', () => (spool.unready() ? 1 : 0));
  counts('baton_spool_shipped_total', 'Facts that Kafka acknowledged', () => worker.status.shipped);
  counts('baton_spool_ship_failures_total', 'Failed attempts to send facts', () => worker.status.shipFailures);
  counts('baton_spool_damaged_total', 'Records of the spool that could not be read', () => worker.status.damaged);
  counts('baton_worker_restarts_total', 'Times the worker thread ended and was started again', () => worker.restarts);
  addMetricsSource(() => worker.metrics());
}
