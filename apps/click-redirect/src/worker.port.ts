import type { ClicksCountedData } from '@baton/contracts';

/** What the answering thread and the worker thread tell each other. */
export interface WorkerSetup {
  readonly env: Readonly<Record<string, string | number | boolean | undefined>>;
  readonly spoolFolder: string;
  readonly catalogFolder: string;
  readonly replicaId: string;
  /** `SpoolTide.memory` */
  readonly tide: SharedArrayBuffer;
}

export type ToWorker =
  | { readonly kind: 'wake' }
  /** Clicks that this process has counted of links with a cap, since it started. */
  | { readonly kind: 'counted'; readonly counts: readonly Counted[] }
  | { readonly kind: 'metrics'; readonly id: number }
  /** Ship what there is, at most so long, then end. */
  | { readonly kind: 'stop'; readonly drainMs: number };

export type FromWorker =
  | { readonly kind: 'catalog' }
  | { readonly kind: 'status'; readonly status: WorkerStatus }
  /** Clicks of links with a cap over all replicas, without what this process has counted since it started. */
  | { readonly kind: 'counted'; readonly totals: readonly Counted[] }
  | { readonly kind: 'metrics'; readonly id: number; readonly text: string }
  | { readonly kind: 'stopped'; readonly drained: boolean };

export type Counted = Pick<ClicksCountedData, 'tenantId' | 'linkNumber' | 'count'>;

export interface WorkerStatus {
  /** Null: the broker has not confirmed the catalog since the start. */
  readonly catalogConfirmedMs: number | null;
  readonly shipped: number;
  readonly shipFailures: number;
  readonly damaged: number;
}
