import type { CellResult, RunResults } from '../results/results.ts';
import { cellName } from '../run/select.ts';

/** The command that runs a cell again, in the root of the repository that its matrix lies in. */
export function repeatCommand(cell: CellResult, { matrix }: Pick<RunResults, 'matrix'>): string {
  const words = ['ksym-matrix', 'run'];
  if (matrix.path !== 'matrix.yaml') words.push('--matrix', matrix.path);
  words.push('--kernel', cell.kernel, '--program', cellName(cell.program, cell.variant));
  return words.map(shellWord).join(' ');
}

/** A word as a POSIX shell reads it back. */
function shellWord(text: string): string {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}
