import { InfrastructureError } from '../ports';
import { gauge } from '../run/metrics';

const FIRST_WAIT_MS = 1_000;
const WAIT_MAX_MS = 60_000;
/** More than this, and it is not the messages that are wrong (a topic is missing, say): then the whole relay waits. */
const KEYS_MAX = 1_000;
const DUE_MAX = 20;

/** Keys whose first unsent message Kafka refuses for good: each waits longer after each refusal. */
export class BlockedKeys {
  private readonly waits = new Map<string, { untilMs: number; waitMs: number }>();
  private readonly count = gauge('baton_outbox_blocked_keys', 'Keys that wait because Kafka refuses their next message');

  keys(): string[] {
    return [...this.waits.keys()];
  }

  has(key: string): boolean {
    return this.waits.has(key);
  }

  /** A few of those whose waiting time is over. */
  due(): string[] {
    if (this.waits.size === 0) return [];
    const now = performance.now();
    return [...this.waits]
      .filter(([, wait]) => wait.untilMs <= now)
      .slice(0, DUE_MAX)
      .map(([key]) => key);
  }

  /** Gives how long the key waits now, in milliseconds. Throws `InfrastructureError` when there are too many. */
  block(key: string): number {
    const known = this.waits.get(key);
    if (!known && this.waits.size >= KEYS_MAX)
      throw new InfrastructureError('kafka', 'refused', new Error(`${KEYS_MAX} keys wait already; do all topics exist?`));
    const waitMs = known ? Math.min(known.waitMs * 2, WAIT_MAX_MS) : FIRST_WAIT_MS;
    this.waits.set(key, { untilMs: performance.now() + waitMs, waitMs });
    this.count.set(this.waits.size);
    return waitMs;
  }

  free(key: string): void {
    if (this.waits.delete(key)) this.count.set(this.waits.size);
  }
}
