import { InvalidEvent, type Received, ReversalReceived } from '@baton/contracts';
import { InfrastructureError } from '../ports';
import { applyHalving, failureOf } from './apply';

const events = (count: number): Received[] =>
  Array.from({ length: count }, (_, i) => ({
    contract: ReversalReceived as never,
    id: String(i),
    key: String(i),
    data: ReversalReceived.sample,
  }));

/** Applies like a transaction: all or none. */
const applying = (fail: (event: Received) => void) => {
  const applied: string[] = [];
  const calls: number[] = [];
  const applyOnce = (batch: readonly Received[]): Promise<void> => {
    calls.push(batch.length);
    try {
      batch.forEach(fail);
      applied.push(...batch.map((e) => e.id));
      return Promise.resolve();
    } catch (error) {
      return Promise.reject(error);
    }
  };
  return { applied, calls, applyOnce };
};

describe('halving', () => {
  it('applies a good batch at once', async () => {
    const { applied, calls, applyOnce } = applying(() => undefined);
    expect(await applyHalving(events(100), applyOnce)).toEqual([]);
    expect(calls).toEqual([100]);
    expect(applied).toHaveLength(100);
    expect(await applyHalving([], applyOnce)).toEqual([]);
    expect(calls).toEqual([100]);
  });

  it.each([[[0]], [[99]], [[41]], [[3, 4, 77]], [Array.from({ length: 100 }, (_, i) => i)]])(
    'refuses the bad ones %j alone, and applies the others once, in their order',
    async (bad) => {
      const names = bad.map(String);
      const { applied, applyOnce } = applying((e) => {
        if (names.includes(e.id)) throw new TypeError('x is not a function');
      });
      const refused = await applyHalving(events(100), applyOnce);
      expect(refused.map((r) => r.event.id)).toEqual(names);
      expect(refused[0]).toMatchObject({ reason: 'handler', error: 'TypeError: x is not a function' });
      expect(applied).toEqual(
        events(100)
          .map((e) => e.id)
          .filter((id) => !names.includes(id)),
      );
    },
  );

  it('tries a failure of no known reason twice, and what is invalid once', async () => {
    const unknown = applying(() => {
      throw null;
    });
    expect(await applyHalving(events(1), unknown.applyOnce)).toMatchObject([{ reason: 'handler', error: 'thrown: null' }]);
    expect(unknown.calls).toEqual([1, 1]);
    const invalid = applying(() => {
      throw new InvalidEvent('schema', 'no');
    });
    expect(await applyHalving(events(2), invalid.applyOnce)).toMatchObject([{ reason: 'schema' }, { reason: 'schema' }]);
    expect(invalid.calls).toEqual([2, 1, 1]);
  });

  it('never halves for the infrastructure, not in the middle of halving either', async () => {
    const down = applying((e) => {
      if (e.id === '0') throw new InfrastructureError('postgres', 'connection', new Error('gone'));
    });
    await expect(applyHalving(events(8), down.applyOnce)).rejects.toBeInstanceOf(InfrastructureError);
    expect(down.calls).toEqual([8]);
    const later = applying((e) => {
      if (e.id === '5') throw new TypeError('bad');
    });
    let calls = 0;
    const goneAfterThree = (batch: readonly Received[]) =>
      ++calls > 3 ? Promise.reject(new InfrastructureError('postgres', 'connection', new Error('gone'))) : later.applyOnce(batch);
    await expect(applyHalving(events(8), goneAfterThree)).rejects.toBeInstanceOf(InfrastructureError);
    expect(later.applied).toEqual(['0', '1', '2', '3']);
  });
});

describe('the text of a failure', () => {
  it('is bounded, leaves out rows that Postgres quotes, and survives what has no text', () => {
    expect(failureOf(new Error('x'.repeat(10_000))).error.length).toBeLessThanOrEqual(500);
    expect(failureOf(new Error('violates check constraint\nDETAIL:  Failing row contains (jane@example.com)')).error).toBe(
      'Error: violates check constraint',
    );
    expect(failureOf(Object.create(null)).error).toBe('thrown: something that cannot be written as text');
  });
});
