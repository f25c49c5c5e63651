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

/** A stint of fewer cells is not worth a machine of its own, unless cells do not share. */
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
    const size = isolation === 'cell' ? 1 : Math.ceil(group.cells.length / Math.ceil(group.cells.length / share));
    const cells = isolation === 'cell' ? longestFirst(group.cells, expected.cell) : group.cells;
    return chunks(cells, size).map((part, index) => ({
      stint: { group, cells: part },
      // Who comes first waits for the boot; the others find the machine saved.
      time: (index === 0 ? expected.firstMachine(group) : 0) + part.reduce((sum, cell) => sum + expected.cell(cell), 0),
    }));
  });
  return longestFirst(planned, ({ time }) => time).map(({ stint }) => stint);
}

/** In a stable order: what takes the same time stays as it was. */
function longestFirst<T>(items: readonly T[], time: (item: T) => number): T[] {
  return [...items].sort((left, right) => time(right) - time(left));
}

function chunks<T>(items: readonly T[], size: number): T[][] {
  const result: T[][] = [];
  for (let start = 0; start < items.length; start += size) result.push(items.slice(start, start + size));
  return result;
}
