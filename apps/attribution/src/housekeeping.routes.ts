import type { Database, Log, Part, Tx } from '@baton/platform';
import type { AttributionStore } from './attribution.store';
import type { ClickStore } from './click.store';

export interface HousekeepingSettings {
  readonly database: Database;
  readonly clicks: ClickStore;
  readonly attributions: AttributionStore;
  readonly log: Log;
}

const PARTITIONS_EVERY_MS = 3_600_000;
const STATISTICS_EVERY_MS = 5_000;

/**
 * Makes the partitions of clicks ahead, at the start and every hour (until it succeeds, clicks go to the default partition), and keeps the
 * planner's statistics close to tables that grow quickly. Nothing depends on it but speed: what fails is tried again at its next time.
 */
export class Housekeeping implements Part {
  readonly name = 'housekeeping';
  private readonly timers: NodeJS.Timeout[] = [];
  private running: Promise<void> = Promise.resolve();

  constructor(private readonly settings: HousekeepingSettings) {}

  async start(): Promise<void> {
    const { clicks, attributions } = this.settings;
    await this.attempt('partitions', (tx) => clicks.makePartitions(tx));
    this.every(PARTITIONS_EVERY_MS, 'partitions', (tx) => clicks.makePartitions(tx));
    this.every(STATISTICS_EVERY_MS, 'statistics', (tx) => attributions.refreshStatistics(tx));
  }

  async stop(): Promise<void> {
    for (const timer of this.timers) clearInterval(timer);
    await this.running;
  }

  private every(ms: number, what: string, work: (tx: Tx) => Promise<number>): void {
    // One after the other: a database that is slow must not be asked twice at once.
    this.timers.push(setInterval(() => (this.running = this.running.then(() => this.attempt(what, work))), ms));
  }

  private async attempt(what: string, work: (tx: Tx) => Promise<number>): Promise<void> {
    try {
      const done = await this.settings.database.untenanted(work);
      if (done > 0) this.settings.log.debug({ what, done }, 'kept house');
    } catch (error) {
      this.settings.log.warn({ err: error, what }, 'could not keep house; trying again');
    }
  }
}
