/** A partner, as far as who referred whom goes. */
export interface Person {
  readonly id: string;
  readonly kind: 'partner' | 'customer';
  /** The customer by whose link this one came. */
  readonly referredBy: string | null;
  readonly depth: number;
}
export type People = ReadonlyMap<string, Person>;
export interface Place {
  readonly referredBy: string | null;
  /** How many customers referred one another up to this one. */
  readonly depth: number;
}

/** No walk goes further up. */
export const STEPS_MAX = 64;
const DEPTH_MAX = 1_000;

/**
 * Where a customer stands who was brought by the partner `by`: after them where they are a customer too, else at the beginning. Nobody is
 * referred by themself or by somebody whom they referred. `people` holds `by` and everybody above.
 */
export function placeOf(id: string, by: string | null, people: People): Place {
  const referrer = by === null ? undefined : people.get(by);
  if (referrer?.kind !== 'customer' || [referrer, ...above(referrer, people)].some((person) => person.id === id))
    return { referredBy: null, depth: 0 };
  return { referredBy: referrer.id, depth: Math.min(depthOf(referrer, people) + 1, DEPTH_MAX) };
}

/** Counted, since what a person was told may be older than what is known of those above; from where the walk ends their word is taken. */
export function depthOf(person: Person, people: People): number {
  const chain = above(person, people);
  return Math.min(chain.length + (chain.at(-1) ?? person).depth * Number(endsEarly(chain.at(-1) ?? person)), DEPTH_MAX);
}

/** Those who referred one another up to this person, nearest first. */
export function above(person: Person, people: People): Person[] {
  const chain: Person[] = [];
  for (let at = person; at.referredBy !== null && chain.length < STEPS_MAX;) {
    const next = people.get(at.referredBy);
    if (!next) break;
    chain.push(next);
    at = next;
  }
  return chain;
}

/** Somebody stands above who was not walked to. */
const endsEarly = (last: Person): boolean => last.referredBy !== null;
