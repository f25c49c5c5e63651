import { ConfigError, unknownWord } from '../config/yaml-file.ts';
import { PLAIN } from '../report/formats/terminal.ts';
import { type LoadersView, viewLoaders } from '../report/loaders/loaders-view.ts';
import { renderLoadersText } from '../report/loaders/text.ts';
import { paintFor } from '../report/paint.ts';
import { terminalWidth } from '../report/terminal-width.ts';
import { cellName } from '../results/cell-name.ts';
import { deriveDisagreements } from '../results/disagreements.ts';
import { readResults } from '../results/read.ts';
import type { RunResults } from '../results/results.ts';
import { toJson } from '../results/write.ts';
import { nameMatches } from '../run/select.ts';
import { EXIT } from './exit-codes.ts';
import { requirePlace, writeOutput } from './output-place.ts';

/** Options of `compare`. */
export interface CompareOptions {
  readonly format: 'text' | 'markdown' | 'json' | 'support';
  readonly output?: string;
  readonly all?: true;
  readonly kernel?: string[];
  readonly program?: string[];
  readonly loader?: string[];
}

/** `ksym-matrix compare`: where the loaders of a run disagree, and why. */
export async function compare(place: string | undefined, options: CompareOptions): Promise<number> {
  const { output } = options;
  if (output !== undefined && output !== '-') await requirePlace(output, 'file', '--output');
  const all = await readResults(place);
  const results = choose(all, options);
  const differences = deriveDisagreements(results, results.differences?.known ?? []);
  if (results.loaders.length < 2 || differences === undefined) throw nothingToCompare(place, all, results);
  const view = viewLoaders(results, differences);
  await writeOutput(output, await render(view, results, options));
  return view.unexplained > 0 ? EXIT.red : EXIT.ok;
}

function nothingToCompare(place: string | undefined, all: RunResults, { loaders }: RunResults): ConfigError {
  const names = loaders.map(({ name }) => name).join('') || 'none';
  if (all.loaders.length > 1) {
    return new ConfigError('one-loader', `there is nothing to compare: --loader leaves ${names} alone`, {
      where: place ?? 'the last run',
      fix: `name two: these results are of ${all.loaders.map(({ name }) => name).join(', ')}`,
    });
  }
  return new ConfigError('one-loader', 'there is nothing to compare: these results are of one loader', {
    where: place ?? 'the last run',
    why: `it is ${names}`,
    fix: 'run a matrix with several, as `npm run matrix:loaders` does (docs/adding-a-loader.md)',
  });
}

async function render(view: LoadersView, results: RunResults, options: CompareOptions): Promise<string> {
  const { format, output, all = false } = options;
  switch (format) {
    case 'json':
      return toJson(view);
    case 'markdown':
      return (await import('../report/loaders/markdown.ts')).renderLoadersMarkdown(view, { all });
    case 'support': {
      const { renderSupport } = await import('../report/loaders/support.ts');
      return renderSupport((await import('../report/loaders/support-view.ts')).viewSupport(results));
    }
    case 'text':
      return output === undefined || output === '-'
        ? renderLoadersText(view, { paint: paintFor(process.stdout), width: terminalWidth(process.stdout), all })
        : renderLoadersText(view, { paint: PLAIN, width: Number.POSITIVE_INFINITY, all });
  }
}

/** What the filters leave of results; ranges and totals stay as they are, as nobody looks at them here. */
function choose(results: RunResults, { kernel = [], program = [], loader = [] }: CompareOptions): RunResults {
  const names = results.cells.map((cell) => cellName(cell.program, cell.variant));
  check(
    'kernel',
    kernel,
    results.kernels.map(({ name }) => name),
  );
  check('program', program, [...new Set([...results.programs.map(({ name }) => name), ...names])]);
  check(
    'loader',
    loader,
    results.loaders.map(({ name }) => name),
  );
  return {
    ...results,
    kernels: results.kernels.filter(({ name }) => nameMatches(name, kernel)),
    loaders: results.loaders.filter(({ name }) => nameMatches(name, loader)),
    cells: results.cells.filter(
      (cell) =>
        nameMatches(cell.kernel, kernel) &&
        nameMatches(cell.loader, loader) &&
        (nameMatches(cell.program, program) || nameMatches(cellName(cell.program, cell.variant), program)),
    ),
  };
}

function check(kind: 'kernel' | 'program' | 'loader', patterns: readonly string[], known: readonly string[]): void {
  for (const pattern of patterns) {
    if (known.some((name) => nameMatches(name, [pattern]))) continue;
    throw new ConfigError(`no-such-${kind}`, unknownWord(kind, pattern, known), { where: `--${kind} ${pattern}` });
  }
}
