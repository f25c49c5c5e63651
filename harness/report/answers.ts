import type { CellResult, RunResults } from '../results/results.ts';
import { RED_VERDICTS, type Verdict } from '../results/verdicts.ts';
import { type Alike, gatherAlike } from './alike.ts';
import { lookOf } from './looks.ts';

/** Cells that ended in the same way, to be told once; several programs only where all were expected to fail, and did. */
export interface Answer extends Omit<Alike<CellResult>, 'items'> {
  readonly verdict: Verdict;
  /** Whether it makes the run fail. */
  readonly red: boolean;
  /** All of them, program by program. */
  readonly cells: readonly CellResult[];
}

/**
 * Puts cells together that did not pass and gave the same answer: kernels that said the same of the same program, then programs that were expected
 * to fail, and did, in the same way for the same reason on the same kernels, then loaders of which all that holds. In the order of the programs.
 */
export function groupAnswers({ cells, programs }: Pick<RunResults, 'cells' | 'programs'>): Answer[] {
  const order = new Map(programs.map(({ name }, index) => [name, index]));
  const position = ({ program }: CellResult): number => order.get(program) ?? -1;
  const failures = cells
    .filter((cell) => cell.verdict !== 'pass')
    .sort((left, right) => position(left) - position(right));
  const groups = gatherAlike(
    failures,
    (cell) => cell,
    (cell) => JSON.stringify([cell.verdict, answerOf(cell)]),
    // What is red is told program by program.
    (cell) => cell.verdict === 'xfail',
  );
  return groups.map(({ items, ...group }) => {
    const { verdict } = group.example;
    return { ...group, verdict, red: RED_VERDICTS.has(verdict), cells: items };
  });
}

/** What cells that ended alike came to, in lines of plain text that are as hostile as the programs, kernels and logs they come from. */
export function describeAnswer({ example, programs }: Pick<Answer, 'example' | 'programs'>): string[] {
  return describe(example, programs.length > 1);
}

/** The same for cells that gave the same answer, whatever their kernels, and different for others. */
export function answerKey(cell: CellResult): string {
  return JSON.stringify(answerOf(cell));
}

/** An expected failure is told by its class and reason; any other needs its own words, though addresses and counts differ from kernel to kernel. */
function answerOf(cell: CellResult): unknown {
  const { verdict, outcome, expected } = cell;
  return verdict === 'xfail'
    ? [outcome.class, outcome.phase, outcome.errno, expected?.reason]
    : describe(cell, false).map(withoutNumbers);
}

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

function withoutNumbers(text: string): string {
  return text.replace(/0x[0-9a-f]+|\d+/g, 'N');
}
