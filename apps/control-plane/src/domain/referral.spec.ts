import { above, depthOf, type People, type Person, placeOf, STEPS_MAX } from './referral';

const person = (id: string, referredBy: string | null = null, more: Partial<Person> = {}): Person => ({
  id,
  kind: 'customer',
  referredBy,
  depth: 0,
  ...more,
});
const of = (...people: Person[]): People => new Map(people.map((one) => [one.id, one]));
/** c0 referred c1, who referred c2, ... */
const chain = (length: number): Person[] => Array.from({ length }, (_, i) => person(`c${i}`, i === 0 ? null : `c${i - 1}`, { depth: i }));

describe('the place of a customer', () => {
  it.each([
    ['nobody', null],
    ['a partner', 'blog'],
    ['somebody who is not known', 'stranger'],
    ['themself', 'me'],
  ])('brought by %s, is the beginning', (_name, by) => {
    expect(placeOf('me', by, of(person('me'), person('blog', null, { kind: 'partner' })))).toEqual({ referredBy: null, depth: 0 });
  });

  it('is one below the customer who brought them', () => {
    const people = of(person('me'), ...chain(3));
    expect(['c0', 'c1', 'c2'].map((by) => placeOf('me', by, people))).toEqual([
      { referredBy: 'c0', depth: 1 },
      { referredBy: 'c1', depth: 2 },
      { referredBy: 'c2', depth: 3 },
    ]);
  });

  it('is not below somebody whom they referred, however far', () => {
    const people = of(...chain(5));
    expect(placeOf('c0', 'c1', people)).toEqual({ referredBy: null, depth: 0 });
    expect(placeOf('c0', 'c4', people)).toEqual({ referredBy: null, depth: 0 });
    expect(placeOf('c1', 'c4', people)).toEqual({ referredBy: null, depth: 0 });
  });

  it('is counted, whatever those above were told', () => {
    const people = of(person('a', null, { depth: 7 }), person('b', 'a', { depth: 0 }));
    expect(placeOf('me', 'b', people).depth).toBe(2);
  });

  it('is taken from the word of the last one, where the walk ends before the beginning', () => {
    expect(placeOf('me', 'b', of(person('b', 'unknown', { depth: 9 }))).depth).toBe(10);
    const people = of(...chain(200));
    expect(depthOf(people.get('c199') as Person, people)).toBe(199);
    expect(above(people.get('c199') as Person, people)).toHaveLength(STEPS_MAX);
  });

  it('ends where people refer one another all the same', () => {
    const people = of(person('a', 'b'), person('b', 'a'));
    expect(above(people.get('a') as Person, people)).toHaveLength(STEPS_MAX);
    expect(placeOf('me', 'a', people).depth).toBeLessThanOrEqual(1_000);
  });
});
