import { oldestFirst } from '../run/kernel-axes.ts';
import type { CellResult, RunResults } from '../run/results.ts';
import { cellName } from '../run/select.ts';
import { RED_VERDICTS, type Verdict } from '../run/verdict.ts';
import { type GridLayout, layOutGrid, widthOfColumns } from './grid-layout.ts';
import type { Paint } from './paint.ts';

/** How each verdict looks: a symbol and a word, red ones in capitals; and one character of its own, for where a word does not fit. */
const LOOKS: Readonly<Record<Verdict, { readonly text: string; readonly symbol: string }>> = {
  pass: { text: '✔ pass', symbol: '✔' },
  xfail: { text: '○ xfail', symbol: '○' },
  fail: { text: '✖ FAIL', symbol: '✖' },
  xpass: { text: '✖ XPASS', symbol: 'X' },
  panic: { text: '✖ PANIC', symbol: 'P' },
  timeout: { text: '✖ TIMEOUT', symbol: 'T' },
  infra: { text: '! INFRA', symbol: '!' },
  flaky: { text: '~ FLAKY', symbol: '~' },
};

const MEANINGS: Readonly<Record<Verdict, string>> = {
  pass: 'works, and every value it read is right',
  xfail: 'is refused, exactly as expected',
  fail: 'fails, and should not, or not like this',
  xpass: 'works, and should not',
  panic: 'the kernel crashed',
  timeout: 'the machine fell silent',
  infra: 'the harness or this machine broke: nothing learnt',
  flaky: 'ended differently when it was run again',
};

const NOT_RUN = '·';

/**
 * The grid: programs down, kernels across from the oldest to the newest, a legend of the verdicts that occur. Ends with a newline.
 *
 * @param width of the terminal in columns: what does not fit becomes symbols, then kernels' names are written downwards, then
 *   the grid is cut into several. Without it everything is written out.
 */
export function renderGrid(results: RunResults, paint: Paint, width: number = Number.POSITIVE_INFINITY): string {
  const kernels = oldestFirst(results.kernels).map((kernel) => kernel.name);
  const rows = new Map<string, Map<string, CellResult>>();
  for (const cell of results.cells) {
    const name = cellName(cell.program, cell.variant);
    const row = rows.get(name) ?? new Map<string, CellResult>();
    rows.set(name, row.set(cell.kernel, cell));
  }
  const names = sortByProgram([...rows.keys()], results);
  const nameWidth = Math.max(7, ...names.map((name) => name.length));
  const words = kernels.map((kernel) =>
    Math.max(
      0,
      ...results.cells.filter((cell) => cell.kernel === kernel).map((cell) => LOOKS[cell.verdict].text.length),
    ),
  );
  const layouts = layOutGrid(kernels, words, nameWidth, width);
  const blocks = layouts.map((layout) => {
    const head = renderHead(layout, nameWidth, paint);
    const body = names.map((name) => renderRow(name.padEnd(nameWidth), rows.get(name), layout, paint));
    return `${[...head, ...body].join('\n')}\n`;
  });
  return `${blocks.join('\n')}\n${renderLegend(results, paint, layouts[0]?.symbols === true)}`;
}

/** A verdict's symbol and word. */
export function lookOf(verdict: Verdict): string {
  return LOOKS[verdict].text;
}

/** Text in the colour of a verdict. */
export function paintVerdict(verdict: Verdict, text: string, paint: Paint): string {
  if (RED_VERDICTS.has(verdict)) return paint.bad(text);
  return verdict === 'pass' ? paint.good(text) : paint.expected(text);
}

function renderHead(layout: GridLayout, nameWidth: number, paint: Paint): string[] {
  const { columns, gap, nameGap, headLines } = layout;
  const lines = headLines.map((texts, index) => {
    const name = index === headLines.length - 1 ? paint.strong('program'.padEnd(nameWidth)) : ' '.repeat(nameWidth);
    const cells = texts.map((text, column) => paint.strong(text.padEnd(columns[column]?.width ?? 0)));
    return `${name}${nameGap}${cells.join(gap)}`.trimEnd();
  });
  return [...lines, paint.dim('─'.repeat(nameWidth + widthOfColumns(layout)))];
}

function renderRow(
  name: string,
  cells: ReadonlyMap<string, CellResult> | undefined,
  { columns, gap, nameGap, symbols }: GridLayout,
  paint: Paint,
): string {
  const texts = columns.map(({ kernel, width }) => {
    const cell = cells?.get(kernel);
    if (cell === undefined) return paint.dim(NOT_RUN.padEnd(width));
    const { text, symbol } = LOOKS[cell.verdict];
    return paintVerdict(cell.verdict, (symbols ? symbol : text).padEnd(width), paint);
  });
  return `${name}${nameGap}${texts.join(gap)}`.trimEnd();
}

function renderLegend(results: RunResults, paint: Paint, symbols: boolean): string {
  const seen = Object.entries(results.totals).filter(([, count]) => count > 0) as [Verdict, number][];
  const explain = (verdict: Verdict): string => {
    const { text, symbol } = LOOKS[verdict];
    return (symbols ? `${symbol} ${text.slice(2)}` : text).padEnd(9);
  };
  return seen
    .map(
      ([verdict, count]) =>
        `${paintVerdict(verdict, explain(verdict), paint)} ${String(count).padStart(4)}  ${MEANINGS[verdict]}\n`,
    )
    .join('');
}

function sortByProgram(names: readonly string[], results: RunResults): string[] {
  const order = new Map(results.programs.map((program, index) => [program.name, index]));
  const position = (name: string): number => order.get(name.split('@')[0] ?? '') ?? 0;
  return [...names].sort((left, right) => position(left) - position(right));
}
