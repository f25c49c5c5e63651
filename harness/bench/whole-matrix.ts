import { mkdir, readFile, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseDocument } from 'yaml';
import type { KernelRequest } from '../../kernels/store.ts';
import { PACKAGE_ROOT } from '../package-root.ts';
import { benchCache, forget } from './bench-cache.ts';
import type { Bench, BenchHost } from './bench-host.ts';
import { type MatrixRun, runMatrixCommand } from './command.ts';
import type { Figure } from './figures.ts';
import { type Measured, takeTurns } from './statistics.ts';

/** Machines at a time that are compared. */
const JOBS = [1, 2, 3, 4] as const;

/** All programs of the default matrix on every line of Debian's kernels: cold, warm, and with more or fewer machines at a time. */
export const matrixBench: Bench = {
  name: 'matrix',
  run: async (host) => {
    const lines = await kernelLines(host);
    const path = await writeMatrix(
      join(host.folder, 'matrix'),
      lines.map((debian) => ({ debian })),
    );
    const cache = await benchCache(host);
    let cells = 0;
    const run = async (what: string, args: readonly string[]): Promise<MatrixRun> => {
      host.say(`matrix: ${what}`);
      const done = await runMatrixCommand(path, args, { host, cache });
      cells = done.results.cells.length;
      return done;
    };
    const [first, cold, kernel, cell] = [
      'cold: nothing but the kernels',
      'cold: no saved machines',
      'warm, --isolate kernel',
      'warm, --isolate cell',
    ];
    const values = new Map(
      await takeTurns(
        [
          async () => {
            await forget(cache, 'everything');
            return { [first]: (await run(first, [])).milliseconds };
          },
          async () => {
            await forget(cache, 'templates');
            return { [cold]: (await run(cold, [])).milliseconds };
          },
        ],
        1,
      ),
    );
    const measure = async (what: string, args: readonly string[]): Promise<Measured> => {
      const { milliseconds, peaks } = await run(what, args);
      return { [what]: milliseconds, [`${what}: memory of all QEMUs`]: peaks.machinesMemory };
    };
    const withJobs = (what: string, jobs: number): string => `${what} --jobs ${jobs}`;
    const competitors = [
      () => measure(kernel, ['--isolate', 'kernel']),
      () => measure(cell, ['--isolate', 'cell']),
      ...(host.quick ? [] : JOBS).map(
        (jobs) => () => measure(withJobs(kernel, jobs), ['--isolate', 'kernel', '--jobs', String(jobs)]),
      ),
    ];
    for (const [name, found] of await takeTurns(competitors, host.quick ? 1 : 3)) values.set(name, found);
    const aims: Readonly<Record<string, number>> = { [cold]: 120_000, [kernel]: 15_000, [cell]: 60_000 };
    const figures = [...values].map(([what, found]): Figure => {
      const unit = what.endsWith('QEMUs') ? 'bytes' : 'ms';
      const limit = aims[what];
      const against = / --jobs /.test(what) && unit === 'ms' ? { against: what.replace(/ --jobs .*/, '') } : {};
      return {
        ...{ what, unit, values: found, ...against },
        ...(limit === undefined ? {} : { aim: { of: 'value', limit, good: 'at-most' } }),
      };
    });
    return {
      name: 'matrix',
      title: `The whole matrix: ${cells} cells on ${lines.length} kernels (${lines.join(', ')})`,
      figures,
      notes: [
        'the whole of `ksym-matrix run`, from the start of the process to its end; kernels were fetched before',
        '--jobs: machines at a time; without it the host decides (harness/run/capacity.ts)',
      ],
    };
  },
};

/** Lines that the cache has, oldest first; with `--kernels all` every line that Debian serves, fetched now. */
async function kernelLines(host: BenchHost): Promise<string[]> {
  const available = await host.store.list();
  const lines = available.filter(({ cached }) => cached || host.allKernels).map(({ line }) => line);
  for (const line of lines) await host.store.get({ debian: line });
  return lines.reverse();
}

/** Writes the repository's matrix with other kernels into a new folder, and gives its path. */
export async function writeMatrix(directory: string, kernels: readonly KernelRequest[]): Promise<string> {
  await mkdir(directory);
  await symlink(join(PACKAGE_ROOT, 'programs'), join(directory, 'programs'));
  const document = parseDocument(await readFile(join(PACKAGE_ROOT, 'matrix.yaml'), 'utf8'));
  document.set('kernels', kernels);
  const path = join(directory, 'matrix.yaml');
  await writeFile(path, document.toString());
  return path;
}
