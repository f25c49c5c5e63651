import type { CellResult, KernelResult, LoaderResult, RunResults } from '../../results/results.ts';
import { groupBy } from '../group-by.ts';
import { inOrder } from './order.ts';

/** The cells of one kernel by one loader, which formats of tests have as a suite. */
export interface Suite {
  /** The kernel's name; with the loader's if there are several. */
  readonly name: string;
  readonly kernel: KernelResult;
  readonly loader: LoaderResult;
  /** At least one, in the order of the grid. */
  readonly cells: readonly CellResult[];
}

/** The suites of a run: kernels from the oldest to the newest, loader by loader; without those of which nothing was run. */
export function toSuites(results: RunResults): Suite[] {
  const { kernels, loaders, cells } = inOrder(results);
  const bySuite = groupBy(cells, (cell) => keyOf(cell.kernel, cell.loader));
  return kernels.flatMap((kernel) =>
    loaders.flatMap((loader) => {
      const own = bySuite.get(keyOf(kernel.name, loader.name));
      const name = loaders.length > 1 ? `${kernel.name} (${loader.name})` : kernel.name;
      return own === undefined ? [] : [{ name, kernel, loader, cells: own }];
    }),
  );
}

function keyOf(kernel: string, loader: string): string {
  return JSON.stringify([kernel, loader]);
}
