import type { Log } from '@baton/platform';

/** Why a fact was not kept. `disk`: writing failed, or did a moment ago; `full`: the spool has its most bytes; `capacity`: more wait than fit. */
export type Shed = 'disk' | 'full' | 'capacity' | 'timeout' | 'closing' | 'oversize';
/** Called once: null when the fact is on disk. */
export type Done = (shed: Shed | null) => void;

/** Facts that go to disk together. */
export interface Batch {
  readonly bytes: Buffer;
  used: number;
  dones: Done[];
  /** When its first fact came. */
  sinceMs: number;
}

export function newBatch(bytes: number): Batch {
  return { bytes: Buffer.allocUnsafeSlow(bytes), used: 0, dones: [], sinceMs: 0 };
}

/** Answers all who wait for it. */
export function settle(batch: Batch, shed: Shed | null, log: Log): void {
  const { dones } = batch;
  batch.dones = [];
  for (const done of dones) {
    try {
      done(shed);
    } catch (error) {
      // One caller's fault: the others are answered, and the spool goes on.
      log.error({ err: error }, 'the answer to a kept fact failed');
    }
  }
}
