import { join } from 'node:path';
import type { Isolation } from '../run/stints.ts';
import { benchCache } from './bench-cache.ts';
import type { Bench } from './bench-host.ts';
import { runMatrixCommand } from './command.ts';
import type { Figure, Unit } from './figures.ts';
import { type Measured, takeTurns } from './statistics.ts';
import { writeSyntheticMatrix } from './synthetic-matrix.ts';

const LINE = '6.12';
const SIZES = [10, 100, 300, 1000] as const;
const QUICK_SIZES = [10, 100] as const;

/** What is compared from size to size: the smallest run has little but its fixed costs. */
const BASE = 100;

/** What is measured of a run, and how much more it may be for ten times as many cells. */
const MEASURES: Readonly<Record<string, { readonly unit: Unit; readonly growth: number }>> = {
  'time per cell': { unit: 'ms', growth: 1.2 },
  'memory of the harness': { unit: 'bytes', growth: 1.5 },
  'open files of the harness': { unit: 'count', growth: 1.2 },
  'memory of all QEMUs': { unit: 'bytes', growth: 1.2 },
};

/** How time and memory grow with the number of cells, with a machine for all and with one for each. */
export const growthBench: Bench = {
  name: 'growth',
  run: async (host) => {
    const cache = await benchCache(host);
    const sizes: readonly number[] = host.quick ? QUICK_SIZES : SIZES;
    const matrices = new Map<number, string>();
    for (const size of sizes) {
      matrices.set(size, await writeSyntheticMatrix(join(host.folder, `cells-${size}`), LINE, size));
    }
    const measure = async (size: number, isolation: Isolation): Promise<Measured> => {
      host.say(`growth: ${size} cells, --isolate ${isolation}`);
      const args = ['--isolate', isolation];
      const { results, peaks } = await runMatrixCommand(matrices.get(size) ?? '', args, { host, cache });
      const values = [
        (results.timings.cells ?? Number.NaN) / results.cells.length,
        peaks.resident,
        peaks.descriptors,
        peaks.machinesMemory,
      ];
      return Object.fromEntries(
        Object.keys(MEASURES).map((name, index) => [nameOf(isolation, name, size), values[index] ?? Number.NaN]),
      );
    };
    // Saves the machine, which is no cell's cost.
    await measure(sizes[0] ?? 1, 'kernel');
    const isolations = ['kernel', 'cell'] as const;
    const competitors = isolations.flatMap((isolation) => sizes.map((size) => () => measure(size, isolation)));
    const values = await takeTurns(competitors, host.quick ? 1 : 2);
    const figures = isolations.flatMap((isolation) =>
      Object.entries(MEASURES).flatMap(([name, { unit, growth }]) =>
        sizes.map((size): Figure => {
          const what = nameOf(isolation, name, size);
          const figure = { what, unit, values: values.get(what) ?? [] };
          if (size <= BASE) return figure;
          const aim = { of: 'ratio', limit: growth, good: 'at-most' } as const;
          return { ...figure, against: nameOf(isolation, name, BASE), ...(size >= 10 * BASE ? { aim } : {}) };
        }),
      ),
    );
    return {
      name: 'growth',
      title: `From ${sizes.at(0)} to ${sizes.at(-1)} cells, copies of one program on ${LINE}`,
      figures,
      notes: [
        'time per cell: the part of the run after compiling and planning, by the number of cells; ratios are to 100 cells',
        'memory: the most that was seen; of the harness its resident set, of QEMU the proportional set sizes',
      ],
    };
  },
};

function nameOf(isolation: Isolation, measure: string, size: number): string {
  return `--isolate ${isolation}: ${measure}, ${size} cells`;
}
