import { createLog } from '@baton/platform';
import { eventually, ownPrefix, proxyTo, type StoreProxy, stores } from '@baton/testing';
import { Redis } from 'ioredis';
import { randomUUID } from 'node:crypto';
import { LeasedQuota } from './leased-quota';
import { type Lease, RedisPermitStore } from './permit.store';

const log = createLog('test', 'silent');
/** So long that nothing comes back while a test runs. */
const windowSeconds = 86_400;

describe('a limit of a key', () => {
  const prefix = ownPrefix();
  const redis = new Redis(stores().redisUrl);
  const opened: { stop(): Promise<void> }[] = [];
  let proxy: StoreProxy;

  /** One replica. `patience`: whether it waits for a busy Redis longer than a service would. */
  const replica = async ({ url = stores().redisUrl, answerMaxMs = 5_000 } = {}) => {
    const store = new RedisPermitStore({ url, prefix, log, answerMaxMs });
    const calls: Lease[] = [];
    const permits = { lease: (leases: readonly Lease[]) => (calls.push(...leases), store.lease(leases)) };
    const quota = new LeasedQuota({ permits, limit: null, now: () => Date.now() });
    await store.start();
    await quota.start();
    const part = { quota, store, calls, stop: async () => (await quota.stop(), store.stop()) };
    opened.push(part);
    await eventually(
      async () => (await store.lease([{ keyId: randomUUID(), limit: { requests: 1, windowSeconds }, wanted: 1, spare: 0 }]))[0] !== null,
    );
    return part;
  };
  const keyOf = (requests: number) => ({ keyId: randomUUID(), rateLimit: { requests, windowSeconds } });
  const grantedOf = async (takes: Promise<{ granted: boolean }>[]) => (await Promise.all(takes)).filter(({ granted }) => granted).length;
  const entry = (keyId: string) => `${prefix}ingest:rate:${keyId}`;

  beforeAll(async () => {
    proxy = await proxyTo(stores().redisUrl);
  });
  afterAll(async () => {
    proxy.heal();
    for (const part of opened) await part.stop();
    await proxy.close();
    await redis.quit();
  });

  it('is one over all replicas, to the last request', async () => {
    const [one, two] = [await replica(), await replica()];
    for (const requests of [1, 7, 100]) {
      const key = keyOf(requests);
      let granted = 0;
      // Bursts and single requests in turns; then one more at each, with what lies with a replica given back.
      for (let round = 0; granted < requests && round < 50; round++) {
        granted += await grantedOf([one, two].flatMap(({ quota }) => Array.from({ length: 1 + (round % 9) }, () => quota.take(key, 1))));
        if (round % 10 === 9) await Promise.all([one.quota.stop(), two.quota.stop()]);
      }
      expect(granted).toBe(requests);
      for (const { quota } of [one, two]) {
        const { granted: more, state, retrySeconds } = await quota.take(key, 1);
        expect({ more, remaining: state?.remaining, retrySeconds }).toEqual({
          more: false,
          remaining: 0,
          retrySeconds: Math.ceil(windowSeconds / requests),
        });
      }
    }
  });

  it('asks nobody for most requests of a busy key, and gives back what nobody used', async () => {
    const { quota, calls } = await replica();
    const key = keyOf(10_000);
    for (let i = 0; i < 1_000; i++) await quota.take(key, 1);
    expect(calls.filter(({ keyId }) => keyId === key.keyId).length).toBeLessThan(200);
    const left = async () => Math.floor(Number(await redis.hget(entry(key.keyId), 'tokens')));
    await eventually(async () => (await left()) === 9_000);
    expect(quota.state(key)?.remaining).toBe(9_000);
  });

  it('counts the items of a batch, wholly or not at all', async () => {
    const { quota } = await replica();
    const key = keyOf(100);
    expect(await quota.take(key, 60)).toMatchObject({ granted: true, state: { remaining: 40 } });
    expect(await quota.take(key, 60)).toMatchObject({ granted: false, state: { remaining: 40 } });
    expect(await quota.take(key, 40)).toMatchObject({ granted: true, state: { remaining: 0 } });
  });

  it.each(['cut', 'silence'] as const)('holds within each replica while Redis is away (%s), and nobody waits', async (how) => {
    const two = [await replica({ url: proxy.url, answerMaxMs: 10 }), await replica({ url: proxy.url, answerMaxMs: 10 })];
    proxy[how]();
    const key = keyOf(20);
    for (const { quota } of two) {
      const started = Date.now();
      let granted = 0;
      for (let i = 0; i < 40; i++) granted += await grantedOf([quota.take(key, 1)]);
      // Three calls that are given up after 10 ms each, then Redis is left alone; the rest is for a busy machine.
      expect(Date.now() - started).toBeLessThan(1_500);
      expect(granted).toBe(20);
    }
    proxy.heal();
  });

  it('is no more than the key’s own at a replica, whatever Redis holds, and recovers by itself', async () => {
    const lies: [string, (name: string) => Promise<unknown>][] = [
      ['another type', (name) => redis.set(name, 'rubbish')],
      ['no numbers', (name) => redis.hset(name, 'tokens', 'nan', 'at', 'yesterday')],
      ['far too many', (name) => redis.hset(name, 'tokens', '1e300', 'at', '0')],
      ['infinitely many', (name) => redis.hset(name, 'tokens', 'inf', 'at', '-inf')],
      ['nothing at all', (name) => redis.del(name)],
    ];
    for (const [what, lie] of lies) {
      const { quota } = await replica();
      const key = keyOf(10);
      let granted = 0;
      for (let i = 0; i < 30; i++) {
        if (i % 5 === 0) await lie(entry(key.keyId));
        granted += await grantedOf([quota.take(key, 1)]);
        if (i === 0) expect([what, await redis.type(entry(key.keyId))]).toEqual([what, 'hash']);
      }
      expect([what, granted]).toEqual([what, 10]);
    }
    // Fewer than none, and from the future: empty, and filling from now on.
    const { quota } = await replica();
    const key = { keyId: randomUUID(), rateLimit: { requests: 10, windowSeconds: 1 } };
    await redis.hset(entry(key.keyId), 'tokens', '-1e300', 'at', '1e300');
    await eventually(async () => (await quota.take(key, 1)).granted, 5_000);
    expect(Number(await redis.hget(entry(key.keyId), 'tokens'))).toBeGreaterThanOrEqual(0);
  });
});
