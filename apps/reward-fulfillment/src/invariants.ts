import { type Database, gauge, type Log, type Part } from '@baton/platform';

export interface InvariantsOptions {
  readonly database: Database;
  readonly log: Log;
  readonly everyMs: number;
}

/** Asks the ledger for its invariants, over all tenants, as counts alone: each is a metric that must be 0. */
export class Invariants implements Part {
  readonly name = 'invariants';
  private timer: NodeJS.Timeout | undefined;
  private asking: Promise<void> = Promise.resolve();
  private readonly broken = gauge('baton_ledger_invariant_broken', 'How often an invariant of the ledger is broken: 0, always', [
    'invariant',
  ]);
  private readonly checked = gauge(
    'baton_ledger_invariants_checked_at_seconds',
    'When the invariants were last checked, seconds since 1970',
  );

  constructor(private readonly options: InvariantsOptions) {}

  async start(): Promise<void> {
    this.ask();
    this.timer = setInterval(() => this.ask(), this.options.everyMs);
  }

  async stop(): Promise<void> {
    clearInterval(this.timer);
    await this.asking;
  }

  async check(): Promise<{ readonly invariant: string; readonly broken: number }[]> {
    return this.options.database.untenanted((tx) =>
      tx.$queryRawUnsafe(`SELECT invariant, broken::float8 AS broken FROM baton_ledger_invariants()`),
    );
  }

  private ask(): void {
    // One at a time: a slow ledger must not gather questions.
    this.asking = this.asking.then(() => this.measure());
  }

  private async measure(): Promise<void> {
    try {
      for (const { invariant, broken } of await this.check()) {
        this.broken.set({ invariant }, broken);
        if (broken > 0) this.options.log.error({ invariant, broken }, 'an invariant of the ledger is broken');
      }
      this.checked.set(Date.now() / 1000);
    } catch (error) {
      this.options.log.warn({ err: error }, 'the invariants could not be checked');
    }
  }
}
