import { dirname } from 'node:path';
import type { CellResult, RunResults } from '../run/results.ts';
import { cellName } from '../run/select.ts';
import { RED_VERDICTS } from '../run/verdict.ts';
import { lookOf, paintVerdict } from './grid.ts';
import type { Paint } from './paint.ts';

const INDENT = '    ';

/**
 * Why each cell is not `pass`, red ones last because a terminal shows the end. Kernels that gave the same answer to the same
 * program are put together, then programs that were expected to fail, and did, in the same way for the same reason on the same kernels.
 * Empty if every cell passed.
 */
export function renderDetails(results: RunResults, paint: Paint): string {
  const failures = results.cells.filter((cell) => cell.verdict !== 'pass');
  const order = results.programs.map((program) => program.name);
  const position = (cells: readonly CellResult[]): number => order.indexOf(cells[0]?.program ?? '');
  const byProgram = groupBy(failures, (cell) => [cell.verdict, cell.program, cell.variant, answerOf(cell)]);
  byProgram.sort((left, right) => redness(left) - redness(right) || position(left) - position(right));
  const merged = groupBy(byProgram, ([first, ...rest]) =>
    first === undefined || first.verdict !== 'xfail'
      ? [first?.program, first?.variant, first?.why, rest.length]
      : [answerOf(first), [first, ...rest].map((cell) => cell.kernel)],
  );
  return merged.map((groups) => renderGroups(groups, results, paint)).join('');
}

function groupBy<T>(items: readonly T[], keyOf: (item: T) => unknown): T[][] {
  const groups = new Map<string, T[]>();
  for (const item of items) {
    const key = JSON.stringify(keyOf(item));
    groups.set(key, [...(groups.get(key) ?? []), item]);
  }
  return [...groups.values()];
}

function redness(cells: readonly CellResult[]): number {
  return cells[0] !== undefined && RED_VERDICTS.has(cells[0].verdict) ? 1 : 0;
}

/** An expected failure is told by its class and reason; any other needs its own words, though addresses and counts differ from kernel to kernel. */
function answerOf({ verdict, outcome, expected, why }: CellResult): unknown {
  return verdict === 'xfail' ? [outcome.class, outcome.phase, outcome.errno, expected?.reason] : withoutNumbers(why);
}

/** One paragraph for programs that failed alike; each group is one program on the same kernels. */
function renderGroups(groups: readonly (readonly CellResult[])[], results: RunResults, paint: Paint): string {
  const first = groups[0]?.[0];
  if (first === undefined) return '';
  const programs = groups.flatMap(([cell]) => (cell === undefined ? [] : [cellName(cell.program, cell.variant)]));
  const kernels = (groups[0] ?? []).map((cell) => cell.kernel);
  const title = `${paintVerdict(first.verdict, lookOf(first.verdict), paint)} ${paint.strong(programs.join(', '))} on ${kernels.join(', ')}`;
  const evidence = groups.flat().map((cell) => evidencePath(cell, results));
  const pattern = `${kernels.length === 1 ? kernels[0] : 'KERNEL'}/${programs.length === 1 ? programs[0] : 'PROGRAM'}`;
  const shown = evidence.length <= MOST_PATHS ? evidence.join(' ') : `${pattern}, a folder for each cell`;
  const lines = [title, ...describe(first, programs.length > 1), paint.dim(`evidence: ${shown}`)];
  return `${lines.map((line, index) => (index === 0 ? line : `${INDENT}${line}`)).join('\n')}\n`;
}

/** Beyond this many paths, what they have in common says more. */
const MOST_PATHS = 8;

function describe(cell: CellResult, forSeveral: boolean): string[] {
  const { outcome } = cell;
  const head = `${outcome.class} in phase ${outcome.phase}${outcome.errno === undefined ? '' : ` (${outcome.errno})`}: `;
  const own = cell.verdict === 'xfail' ? outcome.message : cell.why;
  // Programs that share a paragraph differ in the extern's name.
  const text =
    forSeveral && outcome.extern !== undefined ? own.replaceAll(outcome.extern, 'NAME').replace(/^NAME: /, '') : own;
  const lines = `${head}${text}`
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '');
  if (cell.verdict === 'xfail' && cell.expected !== null) lines.push(`as expected: ${cell.expected.reason}`);
  return lines;
}

/** The folder with a cell's own files, else its console log, relative to the run's folder, which is named once at the end. */
function evidencePath(cell: CellResult, results: RunResults): string {
  const { resolution, verifierLog, values, console } = cell.evidence;
  const own = verifierLog ?? values ?? resolution;
  const path = own === null ? console : own === verifierLog ? own : dirname(own);
  if (path === null) return 'none: it was never run';
  return path.startsWith(`${results.directory}/`) ? path.slice(results.directory.length + 1) : path;
}

function withoutNumbers(text: string): string {
  return text.replace(/0x[0-9a-f]+|\d+/g, 'N');
}
