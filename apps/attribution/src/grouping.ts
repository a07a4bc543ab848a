/** The last of each key, in the order in which the keys first came. */
export const distinct = <T>(values: readonly T[], key: (value: T) => string): T[] => [
  ...new Map(values.map((value) => [key(value), value])).values(),
];

/** Values by key, in their order. */
export function groupBy<T, R = T>(
  values: readonly T[],
  key: (value: T) => string,
  of: (value: T) => R = (value) => value as unknown as R,
): Map<string, R[]> {
  const groups = new Map<string, R[]>();
  for (const value of values) {
    const group = groups.get(key(value));
    if (group) group.push(of(value));
    else groups.set(key(value), [of(value)]);
  }
  return groups;
}
