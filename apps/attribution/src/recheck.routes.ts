import type { Outgoing } from '@baton/contracts';
import { type Database, gauge, InfrastructureError, type Log, type Part, type Tx } from '@baton/platform';
import { namingOf } from './domain/naming';
import type { Recheck } from './recheck.store';
import type { Revise, Stores } from './revise';

export interface SweepSettings {
  readonly database: Database;
  readonly stores: Stores;
  readonly revise: Revise;
  readonly writeOutbox: (tx: Tx, events: readonly Outgoing[]) => Promise<number>;
  readonly committed: () => void;
  readonly log: Log;
}

const EVERY_MS = 1_000;
const BATCH_MAX = 500;
/** Long enough for a batch; a replica that dies leaves its claims to the others after it. */
const LEASE_MS = 30_000;

/** Decides again what waits: when its time is over, or when the catalog moved. Every replica sweeps; a claim keeps them apart. */
export class RecheckSweep implements Part {
  readonly name = 'recheck sweep';
  private timer: NodeJS.Timeout | undefined;
  private running: Promise<void> | null = null;
  private stopping = false;

  constructor(private readonly settings: SweepSettings) {
    const { database, stores } = settings;
    const waiting = gauge('baton_attribution_pending', 'Conversions that wait to be decided again');
    gauge('baton_attribution_pending_oldest_seconds', 'How long the oldest of them has waited', [], async function () {
      // A database that cannot be reached must not take the other metrics with it: the last values stay.
      const found = await database.untenanted((tx) => stores.rechecks.waiting(tx)).catch(() => null);
      if (!found) return;
      waiting.set(found.count);
      this.set(found.oldestSeconds);
    });
  }

  async start(): Promise<void> {
    this.next(EVERY_MS);
    return Promise.resolve();
  }

  async stop(): Promise<void> {
    this.stopping = true;
    clearTimeout(this.timer);
    await this.running;
  }

  /** One round: decides what is due until nothing is. Gives how many conversions it looked at. */
  async sweep(): Promise<number> {
    const { database, stores } = this.settings;
    let count = 0;
    while (!this.stopping) {
      const claimed = await database.untenanted((tx) => stores.rechecks.claim(tx, BATCH_MAX, LEASE_MS));
      if (claimed.length === 0) break;
      await this.decide(claimed);
      count += claimed.length;
    }
    return count;
  }

  private async decide(claimed: readonly Recheck[]): Promise<void> {
    const { database, stores, revise, writeOutbox, committed, log } = this.settings;
    try {
      await database.transaction([...new Set(claimed.map(({ tenantId }) => tenantId))], async (tx) => {
        const keys = await stores.attributions.externalIdsOf(tx, claimed);
        await writeOutbox(tx, await revise(tx, { namings: keys.map(({ tenantId, externalId }) => namingOf(tenantId, { externalId })) }));
      });
      committed();
    } catch (error) {
      if (error instanceof InfrastructureError) throw error;
      if (claimed.length === 1)
        return log.error({ err: error, conversion: claimed[0] }, 'this conversion cannot be decided; it comes up again');
      // One bad conversion must not hold back the others of its batch.
      const half = Math.ceil(claimed.length / 2);
      await this.decide(claimed.slice(0, half));
      await this.decide(claimed.slice(half));
    }
  }

  private next(afterMs: number): void {
    if (this.stopping) return;
    clearTimeout(this.timer);
    this.timer = setTimeout(() => {
      this.running = this.sweep()
        .then(() => undefined)
        .catch((error: unknown) => this.settings.log.warn({ err: error }, 'the recheck sweep waits'))
        .finally(() => {
          this.running = null;
          this.next(EVERY_MS);
        });
    }, afterMs);
  }
}
