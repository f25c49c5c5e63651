import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { generateResults } from '../../../bench/generated-results.ts';
import { compareResults } from '../../../results/compare.ts';
import { deriveDisagreements } from '../../../results/disagreements.ts';
import { summariseRun } from '../../../results/history.ts';
import { deriveRanges } from '../../../results/ranges.ts';
import type { CellResult, KnownDifferenceResult, RunResults } from '../../../results/results.ts';
import { countVerdicts, VERDICTS } from '../../../results/verdicts.ts';
import { plantMarkup } from './planted.ts';

/** A small run with everything in it: two loaders, a variant, cells that were not run, every verdict, kernels of lines that have ended and of one that has not. */
export function smallResults(seed: number): RunResults {
  const generated = generateResults({ kernels: 45, programs: 4, loaders: 2, redEvery: 3, seed });
  // 5.4, 5.7-generic, 5.10-rt, 5.14, 5.17-generic.
  const kernels = generated.kernels.filter((_, index) => index % 10 === 0);
  const names = new Set(kernels.map(({ name }) => name));
  const [program] = generated.programs;
  const cells = generated.cells
    .filter((cell) => names.has(cell.kernel))
    .flatMap((cell, index): CellResult[] => {
      if (index % 31 === 7) return [];
      return cell.program === program?.name ? [cell, { ...cell, variant: 'cap-bpf' }] : [cell];
    });
  const told = cells.map((cell) => ({
    ...cell,
    ...(cell.loader === generated.loaders[1]?.name
      ? { difference: KNOWN.id, loaderOutput: ['a line of the loader'] }
      : {}),
  }));
  const totals = countVerdicts(cells);
  const differences = deriveDisagreements({ cells: told, loaders: generated.loaders }, [KNOWN]);
  const more = differences === undefined ? {} : { differences };
  const ranges = deriveRanges(kernels, cells);
  return {
    ...generated,
    id: `small-${seed}`,
    kernels,
    cells: told,
    totals,
    ranges,
    programs: shown(generated),
    ...more,
  };
}

const KNOWN: KnownDifferenceResult = {
  id: 'known-one',
  loader: 'libbpf',
  versions: '<1.0',
  what: 'It does otherwise.',
  why: 'It was written so.',
  source: ['https://example.org/commit/1 (1.0)', 'src/lib.c'],
  from: 'built-in',
};

/** Programs of which the first shows something. */
function shown({ programs }: Pick<RunResults, 'programs'>): RunResults['programs'] {
  return programs.map((program, index) => (index === 0 ? { ...program, shows: ['typeless', 'weak'] } : program));
}

/** What a site can be made of, beside a run: an earlier one to be compared with, and history. */
export function around(results: RunResults, earlier: RunResults) {
  return { comparison: compareResults(earlier, results), history: [results, earlier].map(summariseRun) };
}

/** A run, and what is around it, with markup in every text. */
export function plantedSite() {
  const [results, earlier] = [plantMarkup(smallResults(3)), plantMarkup(smallResults(2))];
  const { comparison, history } = around(results, earlier);
  // The schema would let nobody through who writes this; pages must not rely on that.
  const alive = { ...results.origin, url: 'javascript:window.__alive=9' };
  return { results: { ...results, origin: alive }, comparison, history };
}

/** Whether results have a cell of each verdict: what a test of how they look relies on. */
export function hasAllVerdicts({ totals }: RunResults): boolean {
  return VERDICTS.every((verdict) => totals[verdict] > 0);
}

/** All pages of a site, relative to its folder, in the order of their names. */
export async function pagesOf(folder: string): Promise<string[]> {
  const files = await readdir(folder, { recursive: true });
  return files.filter((file) => file.endsWith('.html')).sort();
}

/** Address of a file of a site on disk. */
export function addressOf(folder: string, path: string): string {
  const [file = '', fragment] = path.split('#');
  return pathToFileURL(join(folder, file)).href + (fragment === undefined ? '' : `#${fragment}`);
}
