import { Worker } from 'node:worker_threads';
import { join } from 'node:path';
import type { Log, Part } from '@baton/platform';
import type { SpoolTide } from './spool/tide';
import type { Counted, FromWorker, ToWorker, WorkerSetup, WorkerStatus } from './worker.port';

export interface WorkerOptions {
  readonly setup: WorkerSetup;
  readonly tide: SpoolTide;
  readonly onCatalog: () => void;
  readonly onCounted: (totals: readonly Counted[]) => void;
  /** A new worker knows nothing of what the former one was told. */
  readonly onRestart: () => void;
  readonly log: Log;
  readonly drainMs: number;
}

const RESTART_MIN_MS = 100;
const RESTART_MAX_MS = 10_000;
const METRICS_WAIT_MS = 2_000;
/** The worker's own stop, beside the draining: a broker that is gone takes its time to be given up. */
const STOP_EXTRA_MS = 8_000;

/** The thread that speaks with Kafka. The answering thread outlives it: visitors are served while it is away, and it is started again. */
export class WorkerThread implements Part {
  readonly name = 'worker';
  private worker: Worker | null = null;
  private stopping = false;
  private failures = 0;
  private stopped: (drained: boolean) => void = () => undefined;
  private readonly asked = new Map<number, (text: string) => void>();
  private latest: WorkerStatus = { catalogConfirmedMs: null, shipped: 0, shipFailures: 0, damaged: 0 };
  private former = { shipped: 0, shipFailures: 0, damaged: 0 };
  restarts = 0;

  constructor(private readonly options: WorkerOptions) {
    options.tide.wake = () => this.tell({ kind: 'wake' });
  }

  async start(): Promise<void> {
    this.spawn();
  }

  async stop(): Promise<void> {
    this.stopping = true;
    const { worker } = this;
    if (!worker) return;
    const { drainMs, log } = this.options;
    const drained = await new Promise<boolean>((resolve) => {
      const timer = setTimeout(() => resolve(false), drainMs + STOP_EXTRA_MS);
      this.stopped = (all) => {
        clearTimeout(timer);
        resolve(all);
      };
      this.tell({ kind: 'stop', drainMs });
    });
    if (!drained) log.warn('facts stay in the spool: they are sent when a process takes this folder again, or by --drain');
    await worker.terminate();
  }

  /** What it did since the process started. */
  get status(): WorkerStatus {
    const { latest, former } = this;
    return {
      catalogConfirmedMs: latest.catalogConfirmedMs,
      shipped: former.shipped + latest.shipped,
      shipFailures: former.shipFailures + latest.shipFailures,
      damaged: former.damaged + latest.damaged,
    };
  }

  counted(counts: readonly Counted[]): void {
    this.tell({ kind: 'counted', counts });
  }

  /** The worker's metrics; empty when it does not answer. */
  metrics(): Promise<string> {
    if (!this.worker) return Promise.resolve('');
    const id = Math.max(0, ...this.asked.keys()) + 1;
    return new Promise((resolve) => {
      const timer = setTimeout(() => this.asked.get(id)?.(''), METRICS_WAIT_MS);
      this.asked.set(id, (text) => {
        clearTimeout(timer);
        this.asked.delete(id);
        resolve(text);
      });
      this.tell({ kind: 'metrics', id });
    });
  }

  private tell(message: ToWorker): void {
    this.worker?.postMessage(message);
  }

  private spawn(): void {
    const { setup, log } = this.options;
    // Beside the compiled code also when this file runs from its source, in tests.
    const worker = new Worker(join(__dirname, '../dist/edge.worker.js'), { workerData: setup });
    this.worker = worker;
    worker.on('message', (message: FromWorker) => this.hear(message));
    worker.on('error', (error) => log.error({ err: error }, 'the worker failed'));
    worker.on('exit', () => {
      this.worker = null;
      for (const answer of this.asked.values()) answer('');
      if (this.stopping) return this.stopped(false);
      const { shipped, shipFailures, damaged } = this.status;
      this.former = { shipped, shipFailures, damaged };
      this.latest = { ...this.latest, shipped: 0, shipFailures: 0, damaged: 0 };
      this.restarts += 1;
      this.failures += 1;
      const inMs = Math.min(RESTART_MIN_MS * 2 ** this.failures, RESTART_MAX_MS);
      log.error({ inMs }, 'the worker ended; it is started again');
      setTimeout(() => this.respawn(), inMs);
    });
  }

  private respawn(): void {
    if (this.stopping) return;
    this.spawn();
    this.options.onRestart();
  }

  private hear(message: FromWorker): void {
    if (message.kind === 'catalog') this.options.onCatalog();
    else if (message.kind === 'counted') this.options.onCounted(message.totals);
    else if (message.kind === 'metrics') this.asked.get(message.id)?.(message.text);
    else if (message.kind === 'stopped') this.stopped(message.drained);
    else {
      this.latest = message.status;
      if (message.status.shipped > 0 || message.status.catalogConfirmedMs !== null) this.failures = 0;
    }
  }
}
