import type { BootGroup, Cell } from './select.ts';

/**
 * How cells share machines:
 * - `cell`: every cell gets a machine of its own
 * - `kernel`: cells of one kernel and the same boot parameters take turns on a machine, which is replaced as soon as a cell leaves anything behind
 */
export type Isolation = 'cell' | 'kernel';

/** Cells that are run one after the other, on one machine as long as that stays clean. */
export interface Stint {
  readonly group: BootGroup;
  readonly cells: readonly Cell[];
}

/** How long things are expected to take, in milliseconds. */
export interface Expectations {
  readonly cell: (cell: Cell) => number;
  /** Until a machine of the group is ready for the first time: next to nothing if it is saved already. */
  readonly firstMachine: (group: BootGroup) => number;
}

/** A stint of fewer cells is not worth a machine of its own, unless its group has no more or cells do not share. */
const FEWEST_CELLS = 8;

/** Stints for each machine that runs at a time: enough that the last ones end together. */
const STINTS_PER_JOB = 4;

/**
 * Divides the groups into stints, longest first, so that nothing long is left when everything else has ended.
 * @param jobs machines at a time
 */
export function planStints(
  groups: readonly BootGroup[],
  isolation: Isolation,
  jobs: number,
  expected: Expectations,
): Stint[] {
  const total = groups.reduce((sum, group) => sum + group.cells.length, 0);
  const share = Math.max(FEWEST_CELLS, Math.ceil(total / (jobs * STINTS_PER_JOB)));
  const planned = groups.flatMap((group) => {
    const alone = isolation === 'cell';
    const cells = alone ? longestFirst(group.cells, expected.cell) : group.cells;
    return divide(cells, alone ? cells.length : countStints(cells.length, share)).map((part, index) => ({
      stint: { group, cells: part },
      // Who comes first waits for the boot; the others find the machine saved.
      time: (index === 0 ? expected.firstMachine(group) : 0) + part.reduce((sum, cell) => sum + expected.cell(cell), 0),
    }));
  });
  return longestFirst(planned, ({ time }) => time).map(({ stint }) => stint);
}

/** As many as give each its share, but none with fewer cells than are worth a machine. */
function countStints(cells: number, share: number): number {
  return Math.min(Math.ceil(cells / share), Math.max(1, Math.floor(cells / FEWEST_CELLS)));
}

/** In a stable order: what takes the same time stays as it was. */
function longestFirst<T>(items: readonly T[], time: (item: T) => number): T[] {
  return [...items].sort((left, right) => time(right) - time(left));
}

/** Parts of the same length, give or take one. */
function divide<T>(items: readonly T[], parts: number): T[][] {
  const start = (part: number): number => Math.floor((part * items.length) / parts);
  return Array.from({ length: parts }, (_, part) => items.slice(start(part), start(part + 1)));
}
