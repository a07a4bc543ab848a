import { InfrastructureError } from '@baton/platform';
import { eventually } from '@baton/testing';
import { type GroupLimits, Groups, type Settle } from './groups';

const limits: GroupLimits = {
  groupMax: 3,
  collectMs: 1,
  waitingMax: 8,
  waitingOfKeyMax: 6,
  waitMaxMs: 50,
  flightsMax: 2,
  flightsOfKeyMax: 1,
};

/** Groups whose transactions end when the test says so. */
function stage(more: Partial<GroupLimits> = {}) {
  const flights: { key: string; items: readonly string[]; land: (results?: (string | Error)[]) => void }[] = [];
  const settle: Settle<string, string> = (key, items) =>
    new Promise((resolve) => flights.push({ key, items, land: (results = items.map((i) => `${i}!`)) => resolve(results) }));
  const flown = (count: number) => eventually(() => flights.length >= count, 2_000, 2);
  return { flights, flown, groups: new Groups(settle, { ...limits, ...more }) };
}

describe('groups', () => {
  it('put what comes within a moment into one transaction, tenants apart', async () => {
    const { flights, flown, groups } = stage();
    const answers = Promise.all([groups.submit('a', '1'), groups.submit('b', '2'), groups.submit('a', '3')]);
    await flown(2);
    expect(flights.map(({ key, items }) => [key, items])).toEqual([
      ['a', ['1', '3']],
      ['b', ['2']],
    ]);
    for (const { land } of flights) land();
    expect(await answers).toEqual(['1!', '2!', '3!']);
  });

  it('let what comes during a transaction share the next, in order and of bounded size', async () => {
    const { flights, flown, groups } = stage({ waitMaxMs: 5_000 });
    const answers = ['1', '2', '3', '4', '5', '6', '7'].map((item) => groups.submit('a', item));
    for (let i = 0; i < 3; i++) {
      await flown(i + 1);
      expect(flights).toHaveLength(i + 1);
      flights[i]?.land();
    }
    expect(flights.map(({ items }) => items.join(''))).toEqual(['123', '456', '7']);
    expect((await Promise.all(answers)).join('')).toBe('1!2!3!4!5!6!7!');
  });

  it('give a tenant its turn though another is busy', async () => {
    const { flights, flown, groups } = stage({ flightsMax: 1, waitingMax: 20, waitMaxMs: 5_000 });
    const all = [
      ...['1', '2', '3', '4', '5', '6', '7', '8', '9'].map((i) => groups.submit('busy', i)),
      ...['10', '11', '12'].map((i) => groups.submit('small', i)),
    ];
    for (let i = 0; i < 4; i++) {
      await flown(i + 1);
      flights[i]?.land();
    }
    await Promise.all(all);
    expect(flights.map(({ key }) => key)).toEqual(['busy', 'busy', 'small', 'busy']);
  });

  it('refuse at once what cannot wait: of one tenant, and of all', async () => {
    const { flights, flown, groups } = stage({ waitMaxMs: 5_000 });
    const a = ['1', '2', '3', '4', '5', '6', '7', '8', '9'].map((i) => groups.submit('a', i));
    await expect(groups.submit('a', 'x')).rejects.toMatchObject({
      code: 'over_quota',
      status: 429,
      more: { headers: { 'Retry-After': '1' } },
    });
    const b = [groups.submit('b', '1'), groups.submit('b', '2')];
    await expect(groups.submit('b', 'x')).rejects.toMatchObject({ code: 'unavailable', status: 503 });
    for (let i = 0; i < 4; i++) {
      await flown(i + 1);
      flights[i]?.land();
    }
    await Promise.all([...a, ...b]);
  });

  it('give up what waited too long, before it began', async () => {
    const { flights, flown, groups } = stage();
    const under = groups.submit('a', '1');
    await flown(1);
    const waits = groups.submit('a', '2');
    await expect(waits).rejects.toBeInstanceOf(InfrastructureError);
    flights[0]?.land();
    expect(await under).toBe('1!');
    await groups.stop();
    expect(flights).toHaveLength(1);
  });

  it('fail the item that failed, and no other', async () => {
    const { flights, flown, groups } = stage();
    const answers = Promise.allSettled(['1', '2', '3'].map((i) => groups.submit('a', i)));
    await flown(1);
    flights[0]?.land(['1!', new Error('bad'), '3!']);
    expect((await answers).map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
  });

  it('finish what waits before they stop, and take nothing more', async () => {
    const { flights, flown, groups } = stage();
    const answer = groups.submit('a', '1');
    const stopped = groups.stop();
    await expect(groups.submit('a', '2')).rejects.toBeInstanceOf(InfrastructureError);
    await flown(1);
    flights[0]?.land();
    await stopped;
    expect(await answer).toBe('1!');
  });
});
