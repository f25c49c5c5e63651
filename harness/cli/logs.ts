import { readFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { cacheDirectory } from '../../kernels/cache-directory.ts';
import { ExplainedError } from '../../loader/errors.ts';
import { lookOf, paintVerdict } from '../report/grid.ts';
import { type Paint, paintFor } from '../report/paint.ts';
import type { CellResult, RunResults } from '../run/results.ts';
import { cellName, nameMatches } from '../run/select.ts';
import { RED_VERDICTS } from '../run/verdict.ts';
import { EXIT } from './exit-codes.ts';

export interface LogsOptions {
  readonly kernel?: string[];
  readonly program?: string[];
  readonly run?: string;
  readonly json?: true;
}

/** `ksym-matrix logs`: the evidence of an earlier run, for the cells that are asked for, else for the red ones. */
export async function logs(options: LogsOptions): Promise<number> {
  const folder = resolve(options.run ?? join(cacheDirectory(), 'runs', 'latest'));
  const results = await readResults(folder);
  const asked = (options.kernel ?? options.program) !== undefined;
  const cells = results.cells.filter((cell) => {
    if (!asked) return RED_VERDICTS.has(cell.verdict);
    const names = [cell.program, cellName(cell.program, cell.variant)];
    return (
      nameMatches(cell.kernel, options.kernel ?? []) && names.some((name) => nameMatches(name, options.program ?? []))
    );
  });
  if (options.json === true) {
    process.stdout.write(`${JSON.stringify(cells, undefined, 2)}\n`);
    return EXIT.ok;
  }
  const paint = paintFor(process.stdout);
  if (cells.length === 0) {
    process.stdout.write(
      `${asked ? 'no cell of the run matches' : 'every cell was as expected'}: ${results.directory}\n`,
    );
    return asked ? EXIT.usage : EXIT.ok;
  }
  for (const cell of cells) process.stdout.write(await describe(cell, paint));
  return EXIT.ok;
}

async function readResults(folder: string): Promise<RunResults> {
  const path = join(folder, 'results.json');
  try {
    return JSON.parse(await readFile(path, 'utf8')) as RunResults;
  } catch (cause) {
    throw new ExplainedError('no-results', 'there are no results of a run', {
      where: path,
      why: cause instanceof Error ? cause.message : String(cause),
      fix: 'run `ksym-matrix run` first, or name the folder of a run with --run',
      cause,
    });
  }
}

/** A cell with all that was kept of it. */
async function describe(cell: CellResult, paint: Paint): Promise<string> {
  const title = `${paintVerdict(cell.verdict, lookOf(cell.verdict), paint)} ${paint.strong(cellName(cell.program, cell.variant))} on ${cell.kernel}`;
  const { evidence } = cell;
  const parts = [`${title}\n${cell.why}\n`];
  for (const path of [evidence.verifierLog, evidence.values, evidence.resolution, evidence.cellConsole]) {
    if (path !== null) parts.push(`${paint.dim(`── ${path}`)}\n${await contentOf(path)}`);
  }
  if (evidence.console !== null) parts.push(`${paint.dim(`the machine's whole console: ${evidence.console}`)}\n`);
  return `${parts.join('')}\n`;
}

async function contentOf(path: string): Promise<string> {
  try {
    const text = await readFile(path, 'utf8');
    return text.endsWith('\n') ? text : `${text}\n`;
  } catch (error) {
    return `(cannot be read: ${error instanceof Error ? error.message : String(error)})\n`;
  }
}
