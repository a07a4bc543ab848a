import fc from 'fast-check';
import { merge } from './persons';

/** The plain definition: spread the smallest name along every naming until nothing changes. */
function components(namings: readonly (readonly string[])[]): Map<string, string> {
  const root = new Map(namings.flat().map((name) => [name, name]));
  for (let changed = true; changed;) {
    changed = false;
    for (const naming of namings) {
      const smallest = naming.map((name) => root.get(name) as string).sort()[0] as string;
      changed ||= naming.some((name) => root.get(name) !== smallest);
      for (const name of naming) root.set(name, smallest);
    }
  }
  return root;
}

describe('persons', () => {
  it('become one when a fact names identifiers of both', () => {
    const { moves, roots } = merge(
      [['a', 'c'], ['c', 'd'], ['e']],
      new Map([
        ['a', 'a'],
        ['c', 'b'],
        ['d', 'd'],
        ['e', 'e'],
      ]),
    );
    expect([Object.fromEntries(moves), Object.fromEntries(roots)]).toEqual([
      { b: 'a', d: 'a' },
      { a: 'a', c: 'a', d: 'a', e: 'e' },
    ]);
  });

  it('are the same however the facts are shuffled, repeated and cut into batches', () => {
    const naming = fc.uniqueArray(fc.constantFrom(...'abcdefghijklmnop'), { minLength: 1, maxLength: 4 });
    const cuts = fc.array(fc.integer({ min: 1, max: 5 }), { minLength: 30, maxLength: 30 });
    fc.assert(
      fc.property(
        fc
          .array(naming, { maxLength: 12 })
          .chain((facts) => fc.tuple(fc.constant(facts), fc.shuffledSubarray([...facts, ...facts], { minLength: facts.length * 2 }))),
        cuts,
        ([facts, arrived], sizes) => {
          const root = new Map<string, string>();
          for (let at = 0, batch = 0; at < arrived.length; at += sizes[batch++] as number) {
            const some = arrived.slice(at, at + (sizes[batch] as number));
            for (const name of some.flat()) if (!root.has(name)) root.set(name, name);
            const { moves } = merge(some, root);
            for (const [name, old] of root) root.set(name, moves.get(old) ?? old);
          }
          expect(new Map([...root].sort())).toEqual(new Map([...components(facts)].sort()));
        },
      ),
    );
  });
});
