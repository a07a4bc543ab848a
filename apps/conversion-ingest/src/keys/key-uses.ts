import { counter, type Database, type LiveKey, type Log, type Part } from '@baton/platform';
import type { KeyUseStore } from './key-use.store';

const FLUSH_EVERY_MS = 5_000;
/** At most one write for a key in so long. */
const COARSE_MS = 60_000;
const KEYS_MAX = 10_000;

export interface KeyUsesParts {
  /** The worker role: a batch is of many tenants. */
  readonly database: Database;
  readonly store: KeyUseStore;
  readonly now: () => number;
  readonly log: Log;
}

interface Use {
  readonly tenantId: string;
  readonly keyId: string;
  atMs: number;
  writtenAtMs: number;
  writtenUseMs: number;
}

/** When each key was last used, to about a minute: noted in memory, written in batches beside the requests. A write that fails is tried again with the next. */
export class KeyUses implements Part {
  readonly name = 'key uses';
  private readonly uses = new Map<string, Use>();
  private timer: NodeJS.Timeout | undefined;
  private writing: Promise<void> = Promise.resolve();
  private readonly dropped = counter('baton_key_uses_dropped_total', 'Uses of keys that were not noted, since too many wait to be written');

  constructor(private readonly parts: KeyUsesParts) {}

  note({ tenantId, keyId }: Pick<LiveKey, 'tenantId' | 'keyId'>): void {
    const use = this.uses.get(keyId);
    if (use) use.atMs = this.parts.now();
    else if (this.uses.size >= KEYS_MAX) this.dropped.inc();
    else this.uses.set(keyId, { tenantId, keyId, atMs: this.parts.now(), writtenAtMs: 0, writtenUseMs: 0 });
  }

  async start(): Promise<void> {
    this.timer = setInterval(() => (this.writing = this.flush()), FLUSH_EVERY_MS);
    this.timer.unref();
  }

  /** What was not written yet is, if the database answers. */
  async stop(): Promise<void> {
    clearInterval(this.timer);
    await this.writing;
    await this.flush(true);
  }

  /** Writes what is due; everything that was not written yet, if `all`. Never throws. */
  async flush(all = false): Promise<void> {
    const now = this.parts.now();
    const due = [...this.uses.values()].filter((use) => use.atMs > use.writtenUseMs && (all || now - use.writtenAtMs >= COARSE_MS));
    const sent = due.map((use) => ({ use, atMs: use.atMs }));
    try {
      if (due.length > 0)
        await this.parts.database.transaction([...new Set(due.map(({ tenantId }) => tenantId))].sort(), (tx) =>
          this.parts.store.used(
            tx,
            sent.map(({ use: { tenantId, keyId }, atMs }) => ({ tenantId, keyId, at: new Date(atMs).toISOString() })),
          ),
        );
      for (const { use, atMs } of sent) Object.assign(use, { writtenAtMs: now, writtenUseMs: atMs });
    } catch (error) {
      this.parts.log.debug({ err: error }, 'the last uses of keys could not be written; they are with the next');
    }
    for (const use of this.uses.values()) if (use.writtenUseMs === use.atMs && now - use.atMs > COARSE_MS) this.uses.delete(use.keyId);
  }
}
