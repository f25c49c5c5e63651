import type { CellResult, RunResults } from '../results/results.ts';

/** The command that runs a cell again, in the root of the repository that its matrix lies in. */
export function repeatCommand(
  cell: CellResult,
  { matrix, cells, loaders }: Pick<RunResults, 'matrix' | 'cells' | 'loaders'>,
): string {
  const words = ['ksym-matrix', 'run'];
  if (matrix.path !== 'matrix.yaml') words.push('--matrix', matrix.path);
  // The name alone would run all variants.
  const alone = cell.variant === 'default' && !programsWithVariants(cells).has(cell.program);
  words.push('--kernel', cell.kernel, '--program', alone ? cell.program : `${cell.program}@${cell.variant}`);
  if (loaders.length > 1) words.push('--loader', cell.loader);
  return words.map(shellWord).join(' ');
}

/** A report asks once for each cell. */
const known = new WeakMap<RunResults['cells'], ReadonlySet<string>>();

function programsWithVariants(cells: RunResults['cells']): ReadonlySet<string> {
  const found =
    known.get(cells) ?? new Set(cells.filter(({ variant }) => variant !== 'default').map((cell) => cell.program));
  known.set(cells, found);
  return found;
}

/** A word as a POSIX shell reads it back. */
function shellWord(text: string): string {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}
