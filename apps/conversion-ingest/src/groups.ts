import { gauge, histogram, InfrastructureError, type Part, Problem } from '@baton/platform';

export interface GroupLimits {
  /** Most that one transaction takes. */
  readonly groupMax: number;
  /** How long the first of a group waits for company. */
  readonly collectMs: number;
  /** Most that wait, over all keys and for one. */
  readonly waitingMax: number;
  readonly waitingOfKeyMax: number;
  /** Longest wait for a transaction to begin. */
  readonly waitMaxMs: number;
  /** Most groups under way, over all keys and of one. */
  readonly flightsMax: number;
  readonly flightsOfKeyMax: number;
}

interface Entry<T, R> {
  readonly item: T;
  readonly resolve: (result: R) => void;
  readonly reject: (error: unknown) => void;
  readonly timer: NodeJS.Timeout;
}

interface Lane<T, R> {
  readonly key: string;
  waiting: Entry<T, R>[];
  flights: number;
  collecting: NodeJS.Timeout | null;
}

const full = (code: 'over_quota' | 'unavailable'): Problem =>
  new Problem(
    code,
    `${code === 'over_quota' ? 'More of your requests' : 'More requests'} are waiting than can be stored soon. Nothing was stored; try again.`,
    { headers: { 'Retry-After': '1' } },
  );
/** Made once: under overload it is most of what is answered. */
const FULL_OF_YOURS = full('over_quota');
const FULL = full('unavailable');

/** What became of each item of a group, in its order. */
export type Settle<T, R> = (key: string, items: readonly T[]) => Promise<readonly (R | Error)[]>;

/**
 * Group commit: what comes within a moment, or while a transaction is under way, shares the next one. Items of different keys (tenants) never
 * share. Bounded everywhere: what cannot wait is refused at once, what waited too long is refused before it began, so a refusal stored nothing.
 */
export class Groups<T, R> implements Part {
  readonly name = 'groups';
  private readonly lanes = new Map<string, Lane<T, R>>();
  /** Lanes with something to do, in the order in which they get their turn. */
  private readonly ready = new Set<Lane<T, R>>();
  private waiting = 0;
  private flights = 0;
  private closing = false;
  private drained: (() => void) | null = null;
  private readonly sizes = histogram('baton_ingest_group_size', 'Requests in one transaction', [], [1, 2, 5, 10, 25, 50, 100, 200]);
  private readonly waitingGauge = gauge('baton_ingest_waiting', 'Requests waiting for a transaction');

  constructor(
    private readonly settle: Settle<T, R>,
    private readonly limits: GroupLimits,
  ) {}

  /** Why nothing of this key can be taken now; null: something can. For those who would work for nothing. */
  refusal(key: string): Problem | null {
    // One who sends too much is told so; when all together do, it is nobody's fault but ours.
    if ((this.lanes.get(key)?.waiting.length ?? 0) >= this.limits.waitingOfKeyMax) return FULL_OF_YOURS;
    return this.waiting >= this.limits.waitingMax ? FULL : null;
  }

  submit(key: string, item: T): Promise<R> {
    if (this.closing) return Promise.reject(new InfrastructureError('ingest', 'closing', new Error('this process is stopping')));
    const refusal = this.refusal(key);
    if (refusal) return Promise.reject(refusal);
    const lane = this.laneOf(key);
    return new Promise<R>((resolve, reject) => {
      const entry: Entry<T, R> = { item, resolve, reject, timer: setTimeout(() => this.giveUp(lane, entry), this.limits.waitMaxMs) };
      lane.waiting.push(entry);
      this.count(1);
      if (lane.waiting.length >= this.limits.groupMax) this.turn(lane);
      else if (!this.ready.has(lane)) lane.collecting ??= setTimeout(() => this.turn(lane), this.limits.collectMs);
    });
  }

  /** Lets everything that waits come to its end. */
  async stop(): Promise<void> {
    this.closing = true;
    if (this.waiting === 0 && this.flights === 0) return;
    await new Promise<void>((resolve) => (this.drained = resolve));
  }

  private laneOf(key: string): Lane<T, R> {
    const lane = this.lanes.get(key) ?? { key, waiting: [], flights: 0, collecting: null };
    this.lanes.set(key, lane);
    return lane;
  }

  private turn(lane: Lane<T, R>): void {
    if (lane.collecting) clearTimeout(lane.collecting);
    lane.collecting = null;
    this.ready.add(lane);
    this.pump();
  }

  /** Starts what the limits allow, one group a lane and turn, so that a busy tenant cannot starve the others. */
  private pump(): void {
    for (const lane of [...this.ready]) {
      if (this.flights >= this.limits.flightsMax) return;
      if (lane.flights >= this.limits.flightsOfKeyMax) continue;
      this.ready.delete(lane);
      const group = lane.waiting.splice(0, this.limits.groupMax);
      if (group.length > 0) void this.fly(lane, group);
      if (lane.waiting.length > 0) this.ready.add(lane);
      this.forget(lane);
    }
  }

  private async fly(lane: Lane<T, R>, group: readonly Entry<T, R>[]): Promise<void> {
    this.flights++;
    lane.flights++;
    this.count(-group.length);
    this.sizes.observe(group.length);
    for (const { timer } of group) clearTimeout(timer);
    const results = await this.settle(
      lane.key,
      group.map(({ item }) => item),
    ).catch((error: unknown) => group.map(() => (error instanceof Error ? error : new Error(String(error)))));
    this.flights--;
    lane.flights--;
    group.forEach((entry, i) => {
      const result = results[i];
      if (result instanceof Error || result === undefined) entry.reject(result ?? new Error('a group lost one of its items'));
      else entry.resolve(result);
    });
    if (lane.waiting.length > 0 && !lane.collecting) this.ready.add(lane);
    this.pump();
    this.forget(lane);
    if (this.waiting === 0 && this.flights === 0) this.drained?.();
  }

  private giveUp(lane: Lane<T, R>, entry: Entry<T, R>): void {
    lane.waiting = lane.waiting.filter((other) => other !== entry);
    this.count(-1);
    entry.reject(new InfrastructureError('postgres', 'timeout', new Error('no transaction could begin in time')));
    if (this.waiting === 0 && this.flights === 0) this.drained?.();
  }

  private forget(lane: Lane<T, R>): void {
    if (lane.waiting.length === 0 && lane.flights === 0 && !lane.collecting && !this.ready.has(lane)) this.lanes.delete(lane.key);
  }

  private count(more: number): void {
    this.waiting += more;
    this.waitingGauge.set(this.waiting);
  }
}
