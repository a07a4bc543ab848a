/** The identifiers that one fact names. Naming them together says that they are one person. */
export type Named = readonly string[];

export interface Merged {
  /** Old root to new root, for every person that ceases to be its own. */
  readonly moves: ReadonlyMap<string, string>;
  /** Every named identifier to the root of its person after the merge. */
  readonly roots: ReadonlyMap<string, string>;
}

/**
 * Joins persons that a fact names together. The smallest root survives, so that the outcome does not depend on the order of the facts.
 * `rootOf` gives each named identifier's present root. Identifiers of
 * several tenants may come at once where each begins with its tenant: they never meet.
 */
export function merge(namings: readonly Named[], rootOf: ReadonlyMap<string, string>): Merged {
  const parents = new Map<string, string>();
  for (const naming of namings) {
    const roots = naming.map((identifier) => find(parents, rootOf.get(identifier) ?? identifier));
    const smallest = roots.reduce((a, b) => (b < a ? b : a), roots[0] ?? '');
    for (const root of roots) if (root !== smallest) parents.set(root, smallest);
  }
  const roots = new Map(namings.flat().map((identifier) => [identifier, find(parents, rootOf.get(identifier) ?? identifier)]));
  const moves = new Map([...parents.keys()].map((root) => [root, find(parents, root)]));
  return { moves, roots };
}

/** Walks to the root and shortens the way, so that long chains stay cheap. */
function find(parents: Map<string, string>, start: string): string {
  let root = start;
  for (let up = parents.get(root); up !== undefined; up = parents.get(root)) root = up;
  for (let at = start; at !== root;) {
    const up = parents.get(at) ?? root;
    parents.set(at, root);
    at = up;
  }
  return root;
}
