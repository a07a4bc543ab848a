import type { Database, Log, Part } from '@baton/platform';
import type { ClickStore } from './click.store';

export interface SweepSettings {
  readonly database: Database;
  readonly clicks: ClickStore;
  readonly log: Log;
}

const EVERY_MS = 3_600_000;

/** Makes the months of clicks ahead and drops the old ones: at the start, and every hour. Until it succeeds, clicks go to the default partition. */
export class MonthSweep implements Part {
  readonly name = 'click months';
  private timer: NodeJS.Timeout | undefined;
  private running = Promise.resolve();

  constructor(private readonly settings: SweepSettings) {}

  async start(): Promise<void> {
    await this.sweep();
    this.timer = setInterval(() => (this.running = this.sweep()), EVERY_MS);
  }

  async stop(): Promise<void> {
    clearInterval(this.timer);
    await this.running;
  }

  private async sweep(): Promise<void> {
    const { database, clicks, log } = this.settings;
    try {
      const changed = await database.untenanted((tx) => clicks.keepMonths(tx));
      if (changed > 0) log.info({ changed }, 'made and dropped months of clicks');
    } catch (error) {
      log.warn({ err: error }, 'cannot make or drop months of clicks yet; tried again within the hour');
    }
  }
}
