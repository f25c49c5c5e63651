import { dirname } from 'node:path';
import type { CellResult, RunResults } from '../results/results.ts';
import { RED_VERDICTS } from '../results/verdicts.ts';
import { cellName } from '../run/select.ts';
import { lookOf, paintVerdict } from './looks.ts';
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
  return merged.map((groups) => renderGroups(groups, paint)).join('');
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
function answerOf(cell: CellResult): unknown {
  const { verdict, outcome, expected } = cell;
  return verdict === 'xfail'
    ? [outcome.class, outcome.phase, outcome.errno, expected?.reason]
    : describe(cell, false).map(withoutNumbers);
}

/** One paragraph for programs that failed alike; each group is one program on the same kernels. */
function renderGroups(groups: readonly (readonly CellResult[])[], paint: Paint): string {
  const first = groups[0]?.[0];
  if (first === undefined) return '';
  const programs = groups.flatMap(([cell]) => (cell === undefined ? [] : [cellName(cell.program, cell.variant)]));
  const kernels = (groups[0] ?? []).map((cell) => cell.kernel);
  const title = `${paintVerdict(first.verdict, lookOf(first.verdict), paint)} ${paint.strong(programs.join(', '))} on ${kernels.join(', ')}`;
  const evidence = groups.flat().map((cell) => evidencePath(cell));
  const pattern = `${kernels.length === 1 ? kernels[0] : 'KERNEL'}/${programs.length === 1 ? programs[0] : 'PROGRAM'}`;
  const shown = evidence.length <= MOST_PATHS ? evidence.join(' ') : `${pattern}, a folder for each cell`;
  const lines = [title, ...describe(first, programs.length > 1), paint.dim(`evidence: ${shown}`)];
  return `${lines.map((line, index) => (index === 0 ? line : `${INDENT}${line}`)).join('\n')}\n`;
}

/** Beyond this many paths, what they have in common says more. */
const MOST_PATHS = 8;

function describe(cell: CellResult, forSeveral: boolean): string[] {
  if (cell.verdict === 'flaky') return [...describeAttempts(cell), ...describeMore(cell)];
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
  return [...lines, ...describeMore(cell)];
}

/** What each run of a flaky cell came to, and where its machine's console log is. */
function describeAttempts({ attempts = [] }: CellResult): string[] {
  return attempts.map(({ verdict, class: kind, why, console }, index) => {
    const [first = ''] = why.split('\n');
    const log = console === null ? '' : ` (${console})`;
    return `run ${index + 1} of ${attempts.length}: ${lookOf(verdict)}, ${kind}: ${first.trim()}${log}`;
  });
}

/** Beyond this many complaints of the kernel, the console log says more. */
const MOST_SPLATS = 3;

/** What else a red cell's machine went through: complaints of the kernel, and what stayed in it. */
function describeMore(cell: CellResult): string[] {
  if (!RED_VERDICTS.has(cell.verdict)) return [];
  // The first one is the reason why, mostly.
  const splats = cell.splats.filter(({ allowed, text }) => allowed === null && !cell.why.includes(text));
  const lines = splats.slice(0, MOST_SPLATS).map(({ rule, text }) => `on the console (${rule}): ${text}`);
  if (splats.length > MOST_SPLATS) lines.push(`on the console: ${splats.length - MOST_SPLATS} more`);
  return [...lines, ...cell.leftovers.map((what) => `left behind: ${what}`)];
}

/**
 * Where to look, relative to the run's folder, which is named once at the end: the verifier's log, what the console said of a machine that went
 * wrong, the folder with a cell's own files, else the whole console log.
 */
function evidencePath(cell: CellResult): string {
  const { resolution, verifierLog, values, cellConsole, console } = cell.evidence;
  const own = values ?? resolution ?? cellConsole;
  const telling = [verifierLog, tellsOnConsole(cell) ? (cellConsole ?? console) : null].filter((path) => path !== null);
  const paths = telling.length > 0 ? telling : [own === null ? console : dirname(own)].filter((path) => path !== null);
  if (paths.length === 0) return 'none: it was never run';
  return paths.join(' ');
}

/** Whether a cell is red because of what its machine did, which the console tells. */
function tellsOnConsole({ verdict, splats }: CellResult): boolean {
  if (!RED_VERDICTS.has(verdict)) return false;
  return verdict === 'panic' || verdict === 'timeout' || splats.some(({ allowed }) => allowed === null);
}

function withoutNumbers(text: string): string {
  return text.replace(/0x[0-9a-f]+|\d+/g, 'N');
}
