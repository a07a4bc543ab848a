import { counter, type Log, type Part } from '@baton/platform';
import type { RateLimit } from '@baton/contracts';
import { Redis } from 'ioredis';

export interface Lease {
  readonly keyId: string;
  readonly limit: RateLimit;
  /** For requests that wait; negative: given back. */
  readonly wanted: number;
  /** Beyond them, for requests to come, where many are left. */
  readonly spare: number;
}

export interface Leased {
  readonly granted: number;
  /** With nobody. */
  readonly left: number;
}

/** Permits of every replica together. */
export interface PermitStore {
  /** In the order of the leases; null where that cannot be told at once. Never throws. */
  lease(leases: readonly Lease[]): Promise<readonly (Leased | null)[]>;
}

/** After this many failures in a row Redis is left alone, for a moment that doubles up to the longest. */
const FAILURES_MAX = 3;
const REST_MIN_MS = 500;
const REST_MAX_MS = 10_000;

/**
 * A token bucket of two fields, by Redis's own clock so that replicas need not agree on the time. What cannot be a bucket is held to what one can be:
 * a key that lies makes a bucket that is full, or empty for less than a window.
 */
const LEASE = `
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
local full, window, wanted, spare = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local kept = redis.pcall('HMGET', KEYS[1], 'tokens', 'at')
if kept.err then
  redis.call('DEL', KEYS[1])
  kept = {}
end
local tokens, at = tonumber(kept[1] or ''), tonumber(kept[2] or '')
if not tokens or not at or tokens ~= tokens or at ~= at then tokens, at = full, now end
tokens = math.min(full, math.max(tokens, 0) + math.max(now - at, 0) * full / window)
local granted = 0
if wanted < 0 then tokens = math.min(full, tokens - wanted)
elseif tokens >= wanted then granted = wanted + math.min(spare, math.floor((tokens - wanted) / 4))
else granted = math.floor(tokens) end
tokens = tokens - granted
redis.call('HSET', KEYS[1], 'tokens', tostring(tokens), 'at', tostring(now))
redis.call('PEXPIRE', KEYS[1], window)
return { granted, math.floor(tokens) }`;

type LeaseCommand = (key: string, full: number, windowMs: number, wanted: number, spare: number) => Promise<unknown>;

export class RedisPermitStore implements PermitStore, Part {
  readonly name = 'redis permits';
  private readonly redis: Redis & { lease: LeaseCommand };
  private failures = 0;
  private restMs = REST_MIN_MS;
  private restsUntilMs = 0;
  private readonly asked = counter('baton_key_leases_total', 'Leases of permits asked of Redis, by what it said', ['said']);

  constructor({ url, prefix, log, answerMaxMs = 10 }: { url: string; prefix: string; log: Log; answerMaxMs?: number }) {
    this.redis = new Redis(url, {
      lazyConnect: true,
      keyPrefix: `${prefix}ingest:rate:`,
      enableOfflineQueue: false,
      maxRetriesPerRequest: 0,
      commandTimeout: answerMaxMs,
      connectTimeout: 1_000,
      retryStrategy: (times: number) => Math.min(times * 200, 5_000),
      scripts: { lease: { numberOfKeys: 1, lua: LEASE } },
    }) as Redis & { lease: LeaseCommand };
    this.redis.on('error', (error: Error) => log.debug({ err: error }, 'Redis cannot be reached; each replica limits keys by itself'));
  }

  /** Not waited for: limits hold within each replica without. */
  async start(): Promise<void> {
    void this.redis.connect().catch(() => undefined);
  }

  async stop(): Promise<void> {
    this.redis.disconnect();
  }

  async lease(leases: readonly Lease[]): Promise<readonly (Leased | null)[]> {
    if (this.redis.status !== 'ready' || Date.now() < this.restsUntilMs) {
      this.asked.inc({ said: 'nothing' }, leases.length);
      return leases.map(() => null);
    }
    // Written in one go; each answer stands for itself.
    const answers = await Promise.all(
      leases.map((lease) =>
        this.redis.lease(lease.keyId, lease.limit.requests, lease.limit.windowSeconds * 1_000, lease.wanted, lease.spare).then(
          (answer) => readLeased(answer, lease),
          () => null,
        ),
      ),
    );
    const failed = answers.filter((answer) => answer === null).length;
    this.asked.inc({ said: 'leased' }, answers.length - failed);
    this.asked.inc({ said: 'nothing' }, failed);
    this.breathe(failed === answers.length);
    return answers;
  }

  private breathe(failed: boolean): void {
    if (!failed) {
      this.failures = 0;
      this.restMs = REST_MIN_MS;
    } else if (++this.failures >= FAILURES_MAX) {
      this.restsUntilMs = Date.now() + this.restMs;
      this.restMs = Math.min(this.restMs * 2, REST_MAX_MS);
    }
  }
}

/** What a lease cannot have been is no answer. */
function readLeased(answer: unknown, { wanted, spare, limit }: Lease): Leased | null {
  const [granted, left] = Array.isArray(answer) ? (answer as unknown[]) : [];
  const isPlausible = (value: unknown, max: number): value is number =>
    Number.isInteger(value) && (value as number) >= 0 && (value as number) <= max;
  return isPlausible(granted, Math.max(wanted, 0) + spare) && isPlausible(left, limit.requests) ? { granted, left } : null;
}
