/** What a row of measurements comes to. */
export interface Spread {
  readonly median: number;
  readonly lowest: number;
  readonly highest: number;
  readonly count: number;
}

/** The value in the middle; of an even number, the mean of the two in the middle. NaN if there is none. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((left, right) => left - right);
  const [upper, lower] = [sorted[Math.floor(sorted.length / 2)], sorted[Math.ceil(sorted.length / 2) - 1]];
  return upper === undefined || lower === undefined ? Number.NaN : (upper + lower) / 2;
}

/** Median and extremes: with a handful of measurements, more would pretend to know more. */
export function spreadOf(values: readonly number[]): Spread {
  return {
    median: median(values),
    lowest: Math.min(...values),
    highest: Math.max(...values),
    count: values.length,
  };
}

/** What one turn of something measured, by name. */
export type Measured = Readonly<Record<string, number>>;

/**
 * Lets competitors take turns, A B A B …, so that what the host does meanwhile meets all of them alike.
 * @returns the values of each name, in order; names that only some turns give have fewer
 */
export async function takeTurns(
  competitors: readonly (() => Promise<Measured>)[],
  rounds: number,
): Promise<ReadonlyMap<string, readonly number[]>> {
  const values = new Map<string, number[]>();
  for (let round = 0; round < rounds; round++) {
    for (const run of competitors) {
      for (const [name, value] of Object.entries(await run())) values.set(name, [...(values.get(name) ?? []), value]);
    }
  }
  return values;
}
