import { ExplainedError } from '../../loader/errors.ts';

/** What was found at one place: an answer that can be compared, or a reason why there is none. */
export type Probe<Evidence> =
  | { readonly kind: 'answer'; readonly answer: string; readonly evidence: Evidence }
  | { readonly kind: 'skip'; readonly why: string };

/** A place that answered. */
export interface Answered<Item, Evidence> {
  readonly item: Item;
  readonly answer: string;
  readonly evidence: Evidence;
}

/** A place that did not. */
export interface Skipped<Item> {
  readonly item: Item;
  readonly why: string;
}

/** What a search came to. */
export type BisectFinding<Item, Evidence> = {
  readonly skipped: readonly Skipped<Item>[];
} & (
  | {
      readonly kind: 'change';
      /** The last that answers as the oldest does, and the first that is known not to. */
      readonly before: Answered<Item, Evidence>;
      readonly after: Answered<Item, Evidence>;
      readonly newest: Answered<Item, Evidence>;
      /** Between these two, without an answer: the change may be at any of them. */
      readonly between: readonly Item[];
      /** Everything that answered neither as the oldest nor as the newest, oldest first. */
      readonly others: readonly Answered<Item, Evidence>[];
    }
  | {
      readonly kind: 'no-change';
      readonly oldest: Answered<Item, Evidence>;
      readonly newest: Answered<Item, Evidence>;
    }
  /** Fewer than two places answered. */
  | { readonly kind: 'no-answer'; readonly only: Answered<Item, Evidence> | null }
);

/** Beyond this many places without an answer something else is wrong. */
export const MOST_SKIPPED = 10;

/** How many halvings a search over so many places takes at most, besides both ends; each place that is skipped adds one. */
export function mostHalvings(count: number): number {
  return count < 3 ? 0 : Math.ceil(Math.log2(count - 1));
}

/**
 * Finds where answers change, by halves: both ends first, then the middle of what is left. Where answers change once, that is the change; where they
 * change more often, it is one of the changes away from the oldest answer. A place without an answer is stepped around: the one
 * nearest to the middle that is not known to be such is asked next (as `git bisect skip` does, from which this has its name).
 *
 * @param items in order
 * @param probe asked once for each place that is looked at
 * @throws ExplainedError `bisect-too-many-skipped`; whatever `probe` throws
 */
export async function bisect<Item extends object, Evidence>(
  items: readonly Item[],
  probe: (item: Item) => Promise<Probe<Evidence>>,
): Promise<BisectFinding<Item, Evidence>> {
  const answers = new Map<number, Answered<Item, Evidence>>();
  const skipped = new Map<number, Skipped<Item>>();
  const ask = async (index: number): Promise<Answered<Item, Evidence> | null> => {
    const item = items[index];
    if (item === undefined) throw new RangeError(`there is no kernel ${index} to look at`);
    const found = await probe(item);
    if (found.kind === 'answer') {
      const answered = { item, answer: found.answer, evidence: found.evidence };
      answers.set(index, answered);
      return answered;
    }
    skipped.set(index, { item, why: found.why });
    if (skipped.size > MOST_SKIPPED) throw tooManySkipped([...skipped.values()]);
    return null;
  };
  const inOrder = <T>(found: ReadonlyMap<number, T>): T[] =>
    [...found].sort(([left], [right]) => left - right).map(([, value]) => value);

  let low = 0;
  let before = items.length === 0 ? null : await ask(low);
  while (before === null && low + 1 < items.length) before = await ask(++low);
  let high = items.length - 1;
  let after = high > low ? await ask(high) : null;
  while (after === null && high - 1 > low) after = await ask(--high);
  if (before === null || after === null) return { kind: 'no-answer', only: before, skipped: inOrder(skipped) };
  const [oldest, newest] = [before, after];
  if (oldest.answer === newest.answer) return { kind: 'no-change', oldest, newest, skipped: inOrder(skipped) };

  for (;;) {
    const middle = nearestToMiddle(low, high, skipped);
    if (middle === null) break;
    const found = await ask(middle);
    if (found === null) continue;
    if (found.answer === oldest.answer) [low, before] = [middle, found];
    else [high, after] = [middle, found];
  }
  const others = inOrder(answers).filter(({ answer }) => answer !== oldest.answer && answer !== newest.answer);
  const between = items.slice(low + 1, high);
  return { kind: 'change', before, after, newest, between, others, skipped: inOrder(skipped) };
}

/** The place strictly between the two that is nearest to their middle and was not skipped, the older one of two. */
function nearestToMiddle(low: number, high: number, skipped: ReadonlyMap<number, unknown>): number | null {
  const middle = Math.floor((low + high) / 2);
  for (let distance = 0; middle - distance > low || middle + distance < high; distance++) {
    for (const index of [middle - distance, middle + distance]) {
      if (index > low && index < high && !skipped.has(index)) return index;
    }
  }
  return null;
}

function tooManySkipped(skipped: readonly Skipped<unknown>[]): ExplainedError {
  return new ExplainedError('bisect-too-many-skipped', `${skipped.length} kernels gave no answer`, {
    why: `the last: ${skipped.at(-1)?.why ?? ''}`,
    fix: 'mend what is wrong with them, or leave them out with --from, --to or --kernel',
  });
}
