import fc from 'fast-check';
import { BURST_WINDOW_MS } from './facts';
import { spansOf } from './spans';

const START_MS = Date.parse('2026-03-01T12:00:00.000Z');
const MINUTE_MS = 60_000;
const iso = (ms: number): string => new Date(ms).toISOString();

describe('the spans of new clicks', () => {
  it('make one of a burst, and one for the address and one for the network', () => {
    const burst = Array.from({ length: 500 }, (_, i) => ({ tenantId: 't', addressHash: 'a', network: 'n', occurredAt: iso(START_MS + i) }));
    const at = { tenantId: 't', fromMs: START_MS, toMs: START_MS + 499 + BURST_WINDOW_MS };
    expect(spansOf(burst)).toEqual([
      { ...at, addressHash: 'a', network: null },
      { ...at, addressHash: null, network: 'n' },
    ]);
  });

  it('hold exactly the moments that some click of the same tenant and address holds, each once', () => {
    const name = fc.constantFrom('a', 'b', null, undefined);
    const clicks = fc.array(
      fc.record({
        tenantId: fc.constantFrom('t', 'u'),
        addressHash: name,
        network: name,
        occurredAt: fc.nat(60).map((m) => iso(START_MS + m * MINUTE_MS)),
      }),
      { maxLength: 12 },
    );
    fc.assert(
      fc.property(clicks, fc.integer({ min: -MINUTE_MS, max: 80 * MINUTE_MS }), fc.boolean(), (some, afterMs, onMinute) => {
        const ms = START_MS + (onMinute ? Math.floor(afterMs / MINUTE_MS) * MINUTE_MS : afterMs);
        const spans = spansOf(some);
        for (const tenantId of ['t', 'u'])
          for (const field of ['addressHash', 'network'] as const)
            for (const value of ['a', 'b']) {
              const mine = some
                .filter((click) => click.tenantId === tenantId && click[field] === value)
                .map((click) => Date.parse(click.occurredAt));
              const found = spans.filter(
                (span) => span.tenantId === tenantId && span[field] === value && span.fromMs <= ms && ms < span.toMs,
              );
              expect(found.length).toBe(mine.some((at) => at <= ms && ms < at + BURST_WINDOW_MS) ? 1 : 0);
            }
      }),
      { numRuns: 500 },
    );
  });
});
