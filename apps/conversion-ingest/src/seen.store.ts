import { counter, type Log, type Part } from '@baton/platform';
import { Redis } from 'ioredis';

/** Which facts were most likely accepted before: a hint that makes a repeat cheap. Wrong, flushed or away, it changes no result. */
export interface SeenStore {
  /** Those of the ids that were remembered; none when that cannot be told at once. Never throws. */
  seen(factIds: readonly string[]): Promise<ReadonlySet<string>>;
  /** After the commit. Never throws, and nobody waits for it. */
  remember(facts: readonly { readonly factId: string; readonly receiptId: string }[]): void;
}

const ANSWER_MAX_MS = 10;
const KEPT_S = 2 * 24 * 3600;
/** After this many failures in a row Redis is left alone, for a moment that doubles up to the longest. */
const FAILURES_MAX = 3;
const REST_MIN_MS = 500;
const REST_MAX_MS = 10_000;

/** One command for a group: the keys, then how long they are kept, then their values. */
const REMEMBER_ALL = `for i, key in ipairs(KEYS) do redis.call('SET', key, ARGV[i + 1], 'EX', ARGV[1]) end`;

interface Remembering {
  rememberAll(count: number, ...keysThenValues: (string | number)[]): Promise<unknown>;
}

export class RedisSeenStore implements SeenStore, Part {
  readonly name = 'redis';
  private readonly redis: Redis & Remembering;
  private failures = 0;
  private restMs = REST_MIN_MS;
  private restsUntilMs = 0;
  private readonly asked = counter('baton_ingest_hints_total', 'Facts looked up in Redis, by what it said', ['said']);

  constructor({ url, prefix, log }: { readonly url: string; readonly prefix: string; readonly log: Log }) {
    this.redis = new Redis(url, {
      lazyConnect: true,
      keyPrefix: `${prefix}ingest:seen:`,
      enableOfflineQueue: false,
      maxRetriesPerRequest: 0,
      commandTimeout: ANSWER_MAX_MS,
      connectTimeout: 1_000,
      retryStrategy: (times: number) => Math.min(times * 200, 5_000),
      scripts: { rememberAll: { lua: REMEMBER_ALL } },
    }) as Redis & Remembering;
    this.redis.on('error', (error: Error) => log.debug({ err: error }, 'Redis cannot be reached; repeats are told by Postgres alone'));
  }

  async start(): Promise<void> {
    // Not waited for: the service works without.
    void this.redis.connect().catch(() => undefined);
  }

  async stop(): Promise<void> {
    this.redis.disconnect();
  }

  async seen(factIds: readonly string[]): Promise<ReadonlySet<string>> {
    const values = await this.attempt(() => this.redis.mget(...factIds));
    const found = new Set(factIds.filter((_, i) => typeof values?.[i] === 'string'));
    this.asked.inc({ said: 'seen' }, found.size);
    this.asked.inc({ said: values ? 'new' : 'nothing' }, factIds.length - found.size);
    return found;
  }

  remember(facts: readonly { readonly factId: string; readonly receiptId: string }[]): void {
    if (facts.length === 0) return;
    const ids = facts.map(({ factId }) => factId);
    void this.attempt(() => this.redis.rememberAll(ids.length, ...ids, KEPT_S, ...facts.map(({ receiptId }) => receiptId)));
  }

  private async attempt<T>(work: () => Promise<T>): Promise<T | null> {
    if (this.redis.status !== 'ready' || Date.now() < this.restsUntilMs) return null;
    try {
      const result = await work();
      this.failures = 0;
      this.restMs = REST_MIN_MS;
      return result;
    } catch {
      if (++this.failures >= FAILURES_MAX) {
        this.restsUntilMs = Date.now() + this.restMs;
        this.restMs = Math.min(this.restMs * 2, REST_MAX_MS);
      }
      return null;
    }
  }
}
