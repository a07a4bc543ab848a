import { type Database, gauge, InfrastructureError, type Log, type Part, type Tx, writeOutbox } from '@baton/platform';
import { type ConversionKey, keyOf } from './conversion.store';
import { programsOf, settleAll, type Settling } from './settlement';

export interface SweepOptions extends Settling {
  readonly database: Database;
  readonly log: Log;
  readonly everyMs: number;
  /** After each commit: wakes the relay. */
  readonly committed: () => void;
}

/** Conversions in one transaction. */
const BATCH_MAX = 200;
const POSTPONED_MS = 60_000;

/**
 * Settles again what is due: a hold that ended becomes payable, terms that arrived apply. Every replica sweeps; a conversion that another
 * one has locked is left to it.
 */
export class Sweep implements Part {
  readonly name = 'sweep';
  private stopping = false;
  private running: Promise<void> = Promise.resolve();
  private wakeUp: (() => void) | null = null;
  private readonly awaiting = gauge('baton_rewards_awaiting_terms', 'Judged conversions whose program the catalog has not told yet');
  private readonly overdue = gauge(
    'baton_rewards_revisits_overdue_seconds',
    'How long the longest has been due to be settled again (a hold that ended, terms that arrived)',
  );

  constructor(private readonly options: SweepOptions) {}

  async start(): Promise<void> {
    this.running = this.loop();
  }

  async stop(): Promise<void> {
    this.stopping = true;
    this.wakeUp?.();
    await this.running;
  }

  /** One batch. Gives how many conversions were due. */
  async once(): Promise<number> {
    const { database, revisits, now } = this.options;
    const due = await database.untenanted((tx) => revisits.due(tx, now(), BATCH_MAX));
    if (due.length > 0) await this.settleOrPostpone(due);
    return due.length;
  }

  private async loop(): Promise<void> {
    while (!this.stopping) {
      let due = 0;
      try {
        due = await this.once();
        await this.measure();
      } catch (error) {
        this.options.log.warn({ err: error }, 'the sweep waits');
      }
      if (due < BATCH_MAX) await this.pause();
    }
  }

  /** One conversion that cannot be settled must not keep the others from it: it is tried alone, and then later. */
  private async settleOrPostpone(due: readonly ConversionKey[]): Promise<void> {
    try {
      await this.settle(due);
    } catch (error) {
      if (error instanceof InfrastructureError) throw error;
      if (due.length > 1) {
        for (const key of due) await this.settleOrPostpone([key]);
        return;
      }
      const [key] = due as [ConversionKey];
      this.options.log.error({ err: error, conversionId: key.conversionId }, 'a conversion cannot be settled');
      await this.options.database.untenanted((tx) => this.options.revisits.postpone(tx, key, this.options.now() + POSTPONED_MS));
    }
  }

  private async settle(due: readonly ConversionKey[]): Promise<void> {
    const tenants = [...new Set(due.map((key) => key.tenantId))].sort();
    await this.options.database.transaction(tenants, (tx) => this.settleIn(tx, due));
    this.options.committed();
  }

  private async settleIn(tx: Tx, due: readonly ConversionKey[]): Promise<void> {
    const { conversions } = this.options;
    const programs = await conversions.programsOf(tx, due);
    await conversions.shareGates(tx, programs);
    const gates = new Set(programs.map(keyOf));
    // A conversion that changed its program in between stands behind a gate that is not shared here: whoever changed it settled it.
    const verdicts = (await conversions.lockFree(tx, due)).filter((verdict) =>
      programsOf([verdict]).every((program) => gates.has(keyOf(program))),
    );
    await writeOutbox(tx, await settleAll(this.options, tx, verdicts));
  }

  private async measure(): Promise<void> {
    const { awaitingTerms, overdueSeconds } = await this.options.database.untenanted((tx) => this.options.revisits.pulse(tx));
    this.awaiting.set(awaitingTerms);
    this.overdue.set(overdueSeconds);
  }

  private pause(): Promise<void> {
    if (this.stopping) return Promise.resolve();
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, this.options.everyMs);
      this.wakeUp = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}
