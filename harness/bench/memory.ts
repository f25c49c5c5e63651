import { join } from 'node:path';
import { benchCache } from './bench-cache.ts';
import { type Bench, USUAL_LINES } from './bench-host.ts';
import { runMatrixCommand } from './command.ts';
import type { Figure } from './figures.ts';
import { residentSize } from './process-sampler.ts';
import { takeTurns } from './statistics.ts';
import { writeMatrix } from './whole-matrix.ts';

/** Milliseconds between two looks: one machine, so little to look at. */
const INTERVAL_MS = 50;

const PARTS = ['whole', 'its own', 'of files', 'shared', 'proportional'] as const;

/** What one machine takes of the host's memory by the end of all its cells, booted and restored. */
export const memoryBench: Bench = {
  name: 'memory',
  run: async (host) => {
    const cache = await benchCache(host);
    const figures: Figure[] = [];
    for (const line of USUAL_LINES) {
      const { name } = await host.kernel(line);
      const matrix = await writeMatrix(join(host.folder, `memory-${name}`), [{ debian: line }]);
      const measure = async (beginning: string, args: readonly string[]) => {
        host.say(`memory: ${name}, ${beginning}`);
        const all = ['--jobs', '1', '--isolate', 'kernel', ...args];
        const { peaks } = await runMatrixCommand(matrix, all, { host, cache, interval: INTERVAL_MS });
        const memory = peaks.largestMachine;
        const values = [
          residentSize(memory),
          memory?.anonymous ?? 0,
          memory?.file ?? 0,
          memory?.shared ?? 0,
          memory?.proportional ?? Number.NaN,
        ];
        return Object.fromEntries(
          PARTS.map((part, index) => [`${name}: ${beginning}, ${part}`, values[index] ?? Number.NaN]),
        );
      };
      // So that no machine is booted in order to be saved while the restored ones are measured.
      await measure('restored', []);
      const values = await takeTurns(
        [() => measure('booted', ['--no-templates']), () => measure('restored', [])],
        host.quick ? 1 : 3,
      );
      for (const [what, found] of values) figures.push({ what, unit: 'bytes', values: found });
    }
    return {
      name: 'memory',
      title: 'Memory of one QEMU at its largest, while all programs run on it one after the other',
      figures,
      notes: [
        'its own: anonymous pages (RssAnon); of files: mapped files (RssFile), for a restored machine also what it read of the saved',
        "RAM, which all machines of a template share; proportional: each page by the share (Pss). The guest's RAM is 512 MiB.",
      ],
    };
  },
};
