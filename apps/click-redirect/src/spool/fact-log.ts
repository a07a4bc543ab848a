import type { Outgoing } from '@baton/contracts';
import { recordOf, type RecordOf } from './record';
import type { Done, Shed } from './batch';
import type { Spool } from './spool';

export type Recorded = { readonly kind: 'recorded' } | { readonly kind: 'shed'; readonly reason: Shed };

export interface FactLog {
  /** On disk, or shed with a reason; never throws. */
  record(event: Outgoing, traceparent?: string): Promise<Recorded>;
  /** The same for the hot path: `done` is called once, perhaps at once. */
  append(record: RecordOf, done: Done): void;
}

const RECORDED: Recorded = { kind: 'recorded' };

/** Facts in the spool of this replica. */
export class SpooledFactLog implements FactLog {
  constructor(private readonly spool: Spool) {}

  record(event: Outgoing, traceparent?: string): Promise<Recorded> {
    return new Promise((resolve) =>
      this.append(recordOf(event, traceparent), (shed) => resolve(shed === null ? RECORDED : { kind: 'shed', reason: shed })),
    );
  }

  append(record: RecordOf, done: Done): void {
    this.spool.append(record, done);
  }
}
