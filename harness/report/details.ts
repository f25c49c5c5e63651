import { dirname } from 'node:path';
import type { CellResult, RunResults } from '../run/results.ts';
import { cellName } from '../run/select.ts';
import { RED_VERDICTS } from '../run/verdict.ts';
import { lookOf, paintVerdict } from './grid.ts';
import type { Paint } from './paint.ts';

const INDENT = '    ';

/**
 * Why each cell is not `pass`, red ones last because a terminal shows the end. Kernels that gave the same answer to the same
 * program are put together. Empty if every cell passed.
 */
export function renderDetails(results: RunResults, paint: Paint): string {
  const groups = new Map<string, CellResult[]>();
  for (const cell of results.cells) {
    if (cell.verdict === 'pass') continue;
    const key = JSON.stringify([cell.verdict, cell.program, cell.variant, answerOf(cell)]);
    groups.set(key, [...(groups.get(key) ?? []), cell]);
  }
  const order = results.programs.map((program) => program.name);
  const sorted = [...groups.values()].sort(
    (left, right) => redness(left) - redness(right) || position(left, order) - position(right, order),
  );
  return sorted.map((cells) => renderGroup(cells, results, paint)).join('');
}

function redness(cells: readonly CellResult[]): number {
  return cells[0] !== undefined && RED_VERDICTS.has(cells[0].verdict) ? 1 : 0;
}

function position(cells: readonly CellResult[], order: readonly string[]): number {
  return order.indexOf(cells[0]?.program ?? '');
}

/** An expected failure is told by its class and reason; any other needs its own words, though addresses and counts differ from kernel to kernel. */
function answerOf({ verdict, outcome, expected, why }: CellResult): unknown {
  return verdict === 'xfail' ? [outcome.class, outcome.phase, outcome.errno, expected?.reason] : withoutNumbers(why);
}

function renderGroup(cells: readonly CellResult[], results: RunResults, paint: Paint): string {
  const [first] = cells;
  if (first === undefined) return '';
  const kernels = cells.map((cell) => cell.kernel).join(', ');
  const title = `${paintVerdict(first.verdict, lookOf(first.verdict), paint)} ${paint.strong(cellName(first.program, first.variant))} on ${kernels}`;
  const lines = [title, ...describe(first).map((line) => `${INDENT}${line}`)];
  const evidence = cells.map((cell) => evidencePath(cell, results)).join(' ');
  lines.push(`${INDENT}${paint.dim(`evidence: ${evidence}`)}`);
  return `${lines.join('\n')}\n`;
}

function describe(cell: CellResult): string[] {
  const { outcome } = cell;
  const head = `${outcome.class} in phase ${outcome.phase}${outcome.errno === undefined ? '' : ` (${outcome.errno})`}: `;
  const text = cell.verdict === 'xfail' ? outcome.message : cell.why;
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
