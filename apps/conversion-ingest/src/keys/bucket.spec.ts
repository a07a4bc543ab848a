import fc from 'fast-check';
import { fullBucket, refilled, secondsUntil } from './bucket';

const limits = fc.record({ requests: fc.integer({ min: 1, max: 10_000 }), windowSeconds: fc.integer({ min: 1, max: 86_400 }) });

describe('a bucket of permits', () => {
  it('is full again after one window, and never more than full', () => {
    fc.assert(
      fc.property(limits, fc.nat(10_000_000), (limit, passedMs) => {
        const empty = { tokens: 0, atMs: 1_000 };
        const { tokens } = refilled(empty, limit, 1_000 + passedMs);
        expect(tokens).toBeLessThanOrEqual(limit.requests);
        if (passedMs >= limit.windowSeconds * 1_000) expect(tokens).toBeCloseTo(limit.requests, 6);
        else expect(tokens).toBeCloseTo((passedMs * limit.requests) / (limit.windowSeconds * 1_000), 6);
      }),
    );
  });

  it('gives nothing to a clock that was set back', () => {
    const limit = { requests: 10, windowSeconds: 10 };
    expect(refilled({ tokens: 3, atMs: 5_000 }, limit, 1_000)).toEqual({ tokens: 3, atMs: 1_000 });
    expect(fullBucket(limit, 7)).toEqual({ tokens: 10, atMs: 7 });
  });

  it('holds so many after as many seconds as it says, and not a second earlier', () => {
    fc.assert(
      fc.property(limits, fc.double({ min: 0, max: 1, noNaN: true }), fc.integer({ min: 1, max: 10_000 }), (limit, part, items) => {
        const bucket = { tokens: limit.requests * part, atMs: 0 };
        const wanted = Math.min(items, limit.requests);
        const seconds = secondsUntil(items, bucket.tokens, limit);
        expect(refilled(bucket, limit, seconds * 1_000).tokens).toBeGreaterThanOrEqual(wanted - 1e-6);
        if (seconds > 0) expect(refilled(bucket, limit, (seconds - 1) * 1_000).tokens).toBeLessThan(wanted + 1e-6);
      }),
    );
  });
});
