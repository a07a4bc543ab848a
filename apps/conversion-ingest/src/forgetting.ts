import type { Database, Log, Part } from '@baton/platform';
import type { RejectionStore } from './rejection.store';

const EVERY_MS = 60_000;

/** Forgets old refusals, a bounded number at a time. Nothing but the size of a table depends on it. */
export class Forgetting implements Part {
  readonly name = 'forgetting';
  private timer: NodeJS.Timeout | undefined;
  private running: Promise<void> = Promise.resolve();

  constructor(private readonly parts: { readonly database: Database; readonly rejections: RejectionStore; readonly log: Log }) {}

  async start(): Promise<void> {
    this.timer = setInterval(() => (this.running = this.running.then(() => this.forget())), EVERY_MS);
  }

  async stop(): Promise<void> {
    clearInterval(this.timer);
    await this.running;
  }

  private async forget(): Promise<void> {
    const { database, rejections, log } = this.parts;
    try {
      const gone = await database.untenanted((tx) => rejections.forget(tx));
      if (gone > 0) log.debug({ gone }, 'forgot old refusals');
    } catch (error) {
      log.warn({ err: error }, 'could not forget old refusals; trying again');
    }
  }
}
