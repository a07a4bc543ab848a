import fc from 'fast-check';
import { BoundedCache } from './cache';

describe('a bounded cache', () => {
  it('never holds more than it may, and what it holds is what was put last', () =>
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.integer({ min: 0, max: 40 }), fc.boolean())), (uses) => {
        const cache = new BoundedCache<number, number>(10);
        const last = new Map<number, number>();
        for (const [i, [key, isWrite]] of uses.entries()) {
          if (isWrite) cache.set(key, i);
          if (isWrite) last.set(key, i);
          const value = cache.get(key);
          if (value !== undefined) expect(value).toBe(last.get(key));
          expect(cache.size).toBeLessThanOrEqual(10);
        }
      }),
    ));

  it('keeps what is used again and again, whatever else passes by', () => {
    const cache = new BoundedCache<string, number>(10);
    cache.set('often', 1);
    for (let i = 0; i < 1_000; i++) {
      cache.set(`once-${i}`, i);
      expect(cache.get('often')).toBe(1);
    }
    expect(cache.get('once-1')).toBeUndefined();
    cache.clear();
    expect([cache.get('often'), cache.size]).toEqual([undefined, 0]);
  });
});
