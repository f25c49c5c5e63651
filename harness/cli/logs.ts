import { readFile, stat } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { OUR_LOADER } from '../config/loader-entries.ts';
import { showControls } from '../report/formats/control-characters.ts';
import { lookOf, paintVerdict } from '../report/looks.ts';
import { type Paint, paintFor } from '../report/paint.ts';
import { cellName } from '../results/cell-name.ts';
import { readResults } from '../results/read.ts';
import type { CellResult } from '../results/results.ts';
import { RED_VERDICTS } from '../results/verdicts.ts';
import { nameMatches } from '../run/select.ts';
import { EXIT } from './exit-codes.ts';

/** Options of `logs`. */
export interface LogsOptions {
  readonly kernel?: string[];
  readonly program?: string[];
  readonly loader?: string[];
  readonly run?: string;
  readonly json?: true;
}

/** `ksym-matrix logs`: the evidence of an earlier run, for the cells that are asked for, else for the red ones. */
export async function logs(options: LogsOptions): Promise<number> {
  const results = await readResults(options.run);
  const asked = (options.kernel ?? options.program ?? options.loader) !== undefined;
  const cells = results.cells.filter((cell) => {
    if (!asked) return RED_VERDICTS.has(cell.verdict);
    const names = [cell.program, cellName(cell.program, cell.variant)];
    return (
      nameMatches(cell.kernel, options.kernel ?? []) &&
      nameMatches(cell.loader, options.loader ?? []) &&
      names.some((name) => nameMatches(name, options.program ?? []))
    );
  });
  if (options.json === true) {
    process.stdout.write(`${JSON.stringify(cells, undefined, 2)}\n`);
    return EXIT.ok;
  }
  const paint = paintFor(process.stdout);
  if (cells.length === 0) {
    process.stdout.write(
      `${asked ? 'no cell of the run matches' : 'every cell was as expected'}: ${showControls(results.directory)}\n`,
    );
    return asked ? EXIT.usage : EXIT.ok;
  }
  const directory = await evidenceFolder(options.run, results.directory);
  for (const cell of cells) process.stdout.write(await describe(cell, directory, paint));
  return EXIT.ok;
}

/** A run's folder may have been moved since it wrote where it is. */
async function evidenceFolder(run: string | undefined, told: string): Promise<string> {
  const isFolder = run !== undefined && (await stat(run).then((found) => found.isDirectory()));
  return isFolder ? resolve(run) : told;
}

/** A cell with all that was kept of it. What programs and kernels printed must not steer the terminal. */
async function describe(cell: CellResult, directory: string, paint: Paint): Promise<string> {
  const name = paint.strong(showControls(cellName(cell.program, cell.variant)));
  const withLoader = cell.loader === OUR_LOADER ? '' : ` with ${showControls(cell.loader)}`;
  const title = `${paintVerdict(cell.verdict, lookOf(cell.verdict), paint)} ${name} on ${showControls(cell.kernel)}${withLoader}`;
  const { evidence } = cell;
  const placeOf = (path: string): string => showControls(join(directory, path));
  const parts = [`${title}\n${showControls(cell.why)}\n`];
  const { verifierLog, loaderLog = null, loaderAnswer = null, values, resolution, cellConsole } = evidence;
  for (const path of [verifierLog, loaderLog, values, resolution, cellConsole]) {
    if (path !== null)
      parts.push(`${paint.dim(`── ${placeOf(path)}`)}\n${showControls(await contentOf(join(directory, path)))}`);
  }
  if (loaderAnswer !== null) parts.push(`${paint.dim(`what the loader answered: ${placeOf(loaderAnswer)}`)}\n`);
  if (evidence.console !== null)
    parts.push(`${paint.dim(`the machine's whole console: ${placeOf(evidence.console)}`)}\n`);
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
