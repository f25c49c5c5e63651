import { ConfigError } from '../config/yaml-file.ts';
import { showControls } from '../report/formats/control-characters.ts';
import { mergeResults } from '../results/merge.ts';
import { readResults } from '../results/read.ts';
import type { RunResults } from '../results/results.ts';
import { resultsJson } from '../results/results-json.ts';
import { EXIT } from './exit-codes.ts';
import { requirePlace, writeOutput } from './output-place.ts';

/** Options of `merge`. */
export interface MergeOptions {
  readonly output: string;
  /** How many shards there must be. */
  readonly shards?: number;
}

/** `ksym-matrix merge`: one file of results from those of shards. What it holds is said on stderr. */
export async function merge(places: readonly string[], { output, shards }: MergeOptions): Promise<number> {
  if (output !== '-') await requirePlace(output, 'file', '--output');
  if (shards !== undefined && places.length !== shards) {
    throw new ConfigError('shards-missing', `there are ${places.length} shards, and ${shards} are wanted`, {
      where: `--shards ${shards}`,
      fix: 'name the results of every shard; one that ended before it wrote any has to run again',
    });
  }
  const runs: RunResults[] = [];
  for (const place of places) runs.push(await readResults(place));
  const merged = mergeResults(runs, places);
  await writeOutput(output, resultsJson(merged));
  const { cells, kernels, complete } = merged;
  const interrupted = places.filter((_, index) => runs[index]?.complete === false);
  process.stderr.write(`${cells.length} cells on ${kernels.length} kernels from ${places.length} shards\n`);
  if (!complete) process.stderr.write(`cells are missing, because a run was interrupted: ${interrupted.join(', ')}\n`);
  const left = notRun(merged);
  if (left.length > 0)
    process.stderr.write(`kernels of the matrix that no shard ran: ${showControls(left.join(', '))}\n`);
  return EXIT.ok;
}

function notRun({ ranges, kernels }: RunResults): string[] {
  const ran = new Set(kernels.map(({ name }) => name));
  const known = [...ranges.axes.flatMap((axis) => axis.kernels), ...ranges.apart];
  return known.filter((name) => !ran.has(name));
}
