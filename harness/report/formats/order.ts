import { gridOrder } from '../../results/grid-order.ts';
import type { RunResults } from '../../results/results.ts';

/**
 * Results whose kernels, cells and ranges stand in the order of the grid, whatever order the cells ended in: kernels from the oldest to the newest;
 * cells by loader, program, variant and kernel.
 */
export function inOrder(results: RunResults): RunResults {
  const { kernels, compare } = gridOrder(results);
  const { ranges } = results;
  return {
    ...results,
    kernels,
    cells: [...results.cells].sort(compare),
    ranges: {
      ...ranges,
      programs: [...ranges.programs].sort((left, right) => compare({ ...left, kernel: '' }, { ...right, kernel: '' })),
    },
  };
}
