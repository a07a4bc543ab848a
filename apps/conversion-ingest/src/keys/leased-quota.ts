import type { RateLimit } from '@baton/contracts';
import type { LimitedKey, Part, Quota, QuotaState, Taken } from '@baton/platform';
import { type Bucket, fullBucket, refilled, secondsUntil } from './bucket';
import type { PermitStore } from './permit.store';

interface Waiting {
  readonly items: number;
  readonly settle: (granted: boolean) => void;
}

/** One key on this replica. */
interface Lane {
  readonly keyId: string;
  readonly limit: RateLimit;
  /** What this replica alone would let through: the ceiling, whatever Redis says, and all there is while Redis is away. */
  own: Bucket;
  /** What lies with nobody, as Redis last said. */
  shared: Bucket;
  /** Leased and not used yet. */
  held: number;
  spare: number;
  waiting: Waiting[];
  leasedAtMs: number;
  usedAtMs: number;
}

const KEYS_MAX = 10_000;
/** Held permits that nobody asked for in so long are given back. */
const HELD_MAX_MS = 500;
/** Leases that follow each other so closely double what is taken ahead. */
const BUSY_MS = 100;
const SPARE_MAX = 500;
/** No replica takes more than this part of a limit ahead. */
const SPARE_SHARE = 20;

export interface LeasedQuotaParts {
  readonly permits: PermitStore;
  /** Of keys that have none of their own; null: none. */
  readonly limit: RateLimit | null;
  readonly now: () => number;
}

/**
 * Limits of keys over all replicas: permits lie in Redis, and a busy replica takes a few ahead, so that most requests ask nobody. At most one call for a
 * request, shared by those that come at the same moment. While Redis is away, slow or wrong each replica holds the whole limit by itself.
 */
export class LeasedQuota implements Quota, Part {
  readonly name = 'key limits';
  private readonly lanes = new Map<string, Lane>();
  private readonly asking = new Set<Lane>();
  private sweeping: NodeJS.Timeout | undefined;

  constructor(private readonly parts: LeasedQuotaParts) {}

  async start(): Promise<void> {
    this.sweeping = setInterval(() => this.sweep(), HELD_MAX_MS);
    this.sweeping.unref();
  }

  async stop(): Promise<void> {
    clearInterval(this.sweeping);
    await this.giveBack([...this.lanes.values()]);
  }

  async take(key: LimitedKey, items: number): Promise<Taken> {
    const lane = this.laneOf(key);
    if (!lane) return { granted: true, state: null, retrySeconds: 0 };
    const granted = await this.granted(lane, items);
    const state = this.stateOf(lane);
    return { granted, state, retrySeconds: granted ? 0 : Math.max(secondsUntil(items, state.remaining, lane.limit), 1) };
  }

  state(key: LimitedKey): QuotaState | null {
    const lane = this.laneOf(key);
    return lane && this.stateOf(lane);
  }

  private async granted(lane: Lane, items: number): Promise<boolean> {
    if (lane.own.tokens < items) return false;
    lane.own = { ...lane.own, tokens: lane.own.tokens - items };
    lane.usedAtMs = lane.own.atMs;
    if (lane.held >= items) {
      lane.held -= items;
      return true;
    }
    const granted = await new Promise<boolean>((settle) => {
      lane.waiting.push({ items, settle });
      if (this.asking.size === 0) setImmediate(() => void this.ask());
      this.asking.add(lane);
    });
    if (!granted) lane.own = { ...lane.own, tokens: Math.min(lane.own.tokens + items, lane.limit.requests) };
    return granted;
  }

  /** One call for all who wait at this moment, of all keys. */
  private async ask(): Promise<void> {
    const asked = [...this.asking].map((lane) => ({ lane, waiting: lane.waiting.splice(0) }));
    this.asking.clear();
    const now = this.parts.now();
    const answers = await this.parts.permits.lease(
      asked.map(({ lane, waiting }) => {
        lane.spare = now - lane.leasedAtMs < BUSY_MS ? Math.min(Math.max(lane.spare * 2, 1), spareMax(lane.limit)) : 0;
        lane.leasedAtMs = now;
        return { ...lane, wanted: waiting.reduce((sum, { items }) => sum + items, 0), spare: lane.spare };
      }),
    );
    for (const [i, { lane, waiting }] of asked.entries()) {
      const answer = answers[i] ?? null;
      if (answer) {
        lane.held += answer.granted;
        lane.shared = { tokens: answer.left, atMs: now };
      }
      for (const { items, settle } of waiting) {
        // No answer: the replica's own bucket has let it through already.
        const granted = !answer || lane.held >= items;
        if (answer && granted) lane.held -= items;
        settle(granted);
      }
    }
  }

  private laneOf({ keyId, rateLimit }: LimitedKey): Lane | null {
    const limit = rateLimit ?? this.parts.limit;
    if (!limit) return null;
    const now = this.parts.now();
    const known = this.lanes.get(keyId);
    if (known && known.limit.requests === limit.requests && known.limit.windowSeconds === limit.windowSeconds) {
      known.own = refilled(known.own, limit, now);
      known.shared = refilled(known.shared, limit, now);
      return known;
    }
    // Rare: keys are made by people. What is forgotten is full again, and Redis remembers.
    if (this.lanes.size >= KEYS_MAX) this.lanes.clear();
    const full = fullBucket(limit, now);
    const lane = { keyId, limit, own: full, shared: full, held: 0, spare: 0, waiting: [], leasedAtMs: 0, usedAtMs: now };
    this.lanes.set(keyId, lane);
    return lane;
  }

  private stateOf({ limit, own, shared, held }: Lane): QuotaState {
    const remaining = Math.max(Math.floor(Math.min(own.tokens, shared.tokens + held)), 0);
    return { limit, remaining, resetSeconds: secondsUntil(limit.requests, remaining, limit) };
  }

  private sweep(): void {
    const now = this.parts.now();
    const idle = [...this.lanes.values()].filter(({ waiting, usedAtMs }) => waiting.length === 0 && now - usedAtMs >= HELD_MAX_MS);
    void this.giveBack(idle.filter(({ held }) => held > 0));
    for (const { keyId, limit, own, held } of idle)
      if (held === 0 && refilled(own, limit, now).tokens === limit.requests) this.lanes.delete(keyId);
  }

  private async giveBack(lanes: readonly Lane[]): Promise<void> {
    const leases = lanes
      .filter(({ held }) => held > 0)
      .map((lane) => ({ keyId: lane.keyId, limit: lane.limit, wanted: -lane.held, spare: 0 }));
    for (const lane of lanes) {
      lane.shared = { ...lane.shared, tokens: lane.shared.tokens + lane.held };
      lane.held = 0;
    }
    if (leases.length > 0) await this.parts.permits.lease(leases);
  }
}

const spareMax = ({ requests }: RateLimit): number => Math.min(Math.floor(requests / SPARE_SHARE), SPARE_MAX);
