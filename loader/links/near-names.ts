const MOST_NAMES = 3;

/** The few of `names` that a person may have meant by `wanted`: those that differ in little, then those that contain it. */
export function nearNames(wanted: string, names: Iterable<string>): string[] {
  const limit = Math.max(2, Math.floor(wanted.length / 4));
  const found: { name: string; distance: number }[] = [];
  for (const name of names) {
    if (name === wanted) continue;
    if (Math.abs(name.length - wanted.length) <= limit) {
      const distance = editDistance(wanted, name, limit);
      if (distance <= limit) found.push({ name, distance });
    } else if (wanted.length > 3 && name.includes(wanted)) {
      found.push({ name, distance: limit + 1 + name.length - wanted.length });
    }
  }
  found.sort((a, b) => a.distance - b.distance || (a.name < b.name ? -1 : 1));
  return [...new Set(found.map(({ name }) => name))].slice(0, MOST_NAMES);
}

/** `Did you mean a or b?`, or undefined if nothing is near. */
export function didYouMean(wanted: string, names: Iterable<string>): string | undefined {
  const near = nearNames(wanted, names);
  return near.length === 0 ? undefined : `did you mean ${near.join(' or ')}?`;
}

/** Insertions, deletions and substitutions between two texts; anything above `limit` once that is sure. */
function editDistance(a: string, b: string, limit: number): number {
  let row = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    let least = i;
    for (let j = 1; j <= b.length; j++) {
      const substitution = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      const value = Math.min(substitution, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1);
      next.push(value);
      least = Math.min(least, value);
    }
    if (least > limit) return least;
    row = next;
  }
  return row[b.length] ?? 0;
}
