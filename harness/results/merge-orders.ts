import { compareText } from './grid-order.ts';

/**
 * One order of all names in which the names of each list come in the order of that list, whatever order the lists come in; what the lists leave open
 * is decided by name. Lists that contradict each other are followed as far as they go.
 */
export function mergeOrders(lists: readonly (readonly string[])[]): string[] {
  const [first = [], ...others] = lists;
  // Shards of one matrix mostly have the same names in the same order.
  if (others.every((list) => list.length === first.length && list.every((name, index) => name === first[index]))) {
    return [...new Set(first)];
  }
  const followers = new Map<string, Set<string>>();
  for (const list of lists) {
    for (const [index, name] of list.entries()) {
      const own = followers.get(name) ?? new Set<string>();
      followers.set(name, own);
      const next = list[index + 1];
      if (next !== undefined && next !== name) own.add(next);
    }
  }
  const waiting = new Map([...followers.keys()].sort(compareText).map((name) => [name, 0]));
  for (const next of [...followers.values()].flatMap((names) => [...names])) {
    waiting.set(next, (waiting.get(next) ?? 0) + 1);
  }
  const order: string[] = [];
  while (waiting.size > 0) {
    const name = firstFree(waiting);
    waiting.delete(name);
    order.push(name);
    for (const next of followers.get(name) ?? []) {
      const count = waiting.get(next);
      if (count !== undefined) waiting.set(next, count - 1);
    }
  }
  return order;
}

/** The first that no other must come before; in a circle, the one that the fewest must. */
function firstFree(waiting: ReadonlyMap<string, number>): string {
  let best = '';
  let fewest = Number.POSITIVE_INFINITY;
  for (const [name, count] of waiting) {
    if (count >= fewest) continue;
    best = name;
    fewest = count;
    if (count === 0) break;
  }
  return best;
}
