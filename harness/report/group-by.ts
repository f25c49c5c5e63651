/** Items by what they have in common: keys in the order of their first item, items in the order they came in. As Map.groupBy, which Node 20 lacks. */
export function groupBy<T, Key>(items: readonly T[], keyOf: (item: T) => Key): ReadonlyMap<Key, readonly T[]> {
  const groups = new Map<Key, T[]>();
  for (const item of items) {
    const key = keyOf(item);
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [item]);
    else group.push(item);
  }
  return groups;
}

/** The groups of {@link groupBy} alone. */
export function inGroups<T>(items: readonly T[], keyOf: (item: T) => unknown): (readonly T[])[] {
  return [...groupBy(items, keyOf).values()];
}
