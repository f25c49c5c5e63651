/**
 * The candidate that a mistyped word most likely means; undefined if none is near.
 * Distance is the number of letters to insert, remove, replace or swap. Words that lack what all of their kind begin with (`syslog` for `CAP_SYSLOG`)
 * are found as well.
 */
export function suggest(word: string, candidates: Iterable<string>): string | undefined {
  const all = [...candidates];
  const longer = all.filter((candidate) => candidate.toLowerCase().endsWith(`_${word.toLowerCase()}`));
  if (longer.length === 1) return longer[0];
  let best: string | undefined;
  // `config.` is what all options have in common, and makes none of them more alike.
  const length = word.length - (word.lastIndexOf('.') + 1);
  let bestDistance = Math.max(2, Math.floor(length / 3)) + 1;
  for (const candidate of all) {
    const distance = editDistance(word.toLowerCase(), candidate.toLowerCase());
    if (distance < bestDistance) {
      best = candidate;
      bestDistance = distance;
    }
  }
  return best;
}

function editDistance(left: string, right: string): number {
  let beforePrevious: number[] = [];
  let previous = Array.from({ length: right.length + 1 }, (_, index) => index);
  for (let i = 1; i <= left.length; i++) {
    const current = [i];
    for (let j = 1; j <= right.length; j++) {
      const same = left[i - 1] === right[j - 1];
      let cost = Math.min((previous[j] ?? 0) + 1, (current[j - 1] ?? 0) + 1, (previous[j - 1] ?? 0) + (same ? 0 : 1));
      if (i > 1 && j > 1 && left[i - 1] === right[j - 2] && left[i - 2] === right[j - 1]) {
        cost = Math.min(cost, (beforePrevious[j - 2] ?? 0) + 1);
      }
      current.push(cost);
    }
    beforePrevious = previous;
    previous = current;
  }
  return previous[right.length] ?? 0;
}
