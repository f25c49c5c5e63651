import type { CellResult, RunResults } from '../run/results.ts';
import { cellName } from '../run/select.ts';
import { RED_VERDICTS, type Verdict } from '../run/verdict.ts';
import type { Paint } from './paint.ts';

/** How each verdict looks: a symbol and a word, red ones in capitals. */
const LOOKS: Readonly<Record<Verdict, string>> = {
  pass: '✔ pass',
  xfail: '○ xfail',
  fail: '✖ FAIL',
  xpass: '✖ XPASS',
  panic: '✖ PANIC',
  timeout: '✖ TIMEOUT',
  infra: '! INFRA',
  flaky: '~ FLAKY',
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

const GAP = '  ';
const NOT_RUN = '·';

/** The grid: programs down, kernels across, a legend of the verdicts that occur. Ends with a newline. */
export function renderGrid(results: RunResults, paint: Paint): string {
  const kernels = results.kernels.map((kernel) => kernel.name);
  const rows = new Map<string, Map<string, CellResult>>();
  for (const cell of results.cells) {
    const name = cellName(cell.program, cell.variant);
    const row = rows.get(name) ?? new Map<string, CellResult>();
    rows.set(name, row.set(cell.kernel, cell));
  }
  const names = sortByProgram([...rows.keys()], results);
  const nameWidth = Math.max(7, ...names.map((name) => name.length));
  const widths = kernels.map((kernel) =>
    Math.max(
      kernel.length,
      ...results.cells.filter((cell) => cell.kernel === kernel).map((cell) => LOOKS[cell.verdict].length),
    ),
  );
  const header = [
    paint.strong('program'.padEnd(nameWidth)),
    ...kernels.map((kernel, index) => paint.strong(kernel.padEnd(widths[index] ?? 0))),
  ];
  const rule = '─'.repeat(nameWidth + widths.reduce((sum, width) => sum + width + GAP.length, 0));
  const body = names.map((name) => {
    const cells = kernels.map((kernel, index) => {
      const cell = rows.get(name)?.get(kernel);
      const width = widths[index] ?? 0;
      return cell === undefined
        ? paint.dim(NOT_RUN.padEnd(width))
        : paintVerdict(cell.verdict, LOOKS[cell.verdict].padEnd(width), paint);
    });
    return [name.padEnd(nameWidth), ...cells].join(GAP).trimEnd();
  });
  return `${[header.join(GAP).trimEnd(), paint.dim(rule), ...body].join('\n')}\n\n${renderLegend(results, paint)}`;
}

/** A verdict's symbol and word. */
export function lookOf(verdict: Verdict): string {
  return LOOKS[verdict];
}

/** Text in the colour of a verdict. */
export function paintVerdict(verdict: Verdict, text: string, paint: Paint): string {
  if (RED_VERDICTS.has(verdict)) return paint.bad(text);
  return verdict === 'pass' ? paint.good(text) : paint.expected(text);
}

function renderLegend(results: RunResults, paint: Paint): string {
  const seen = Object.entries(results.totals).filter(([, count]) => count > 0) as [Verdict, number][];
  return seen
    .map(
      ([verdict, count]) =>
        `${paintVerdict(verdict, LOOKS[verdict].padEnd(9), paint)} ${String(count).padStart(4)}  ${MEANINGS[verdict]}\n`,
    )
    .join('');
}

function sortByProgram(names: readonly string[], results: RunResults): string[] {
  const order = new Map(results.programs.map((program, index) => [program.name, index]));
  const position = (name: string): number => order.get(name.split('@')[0] ?? '') ?? 0;
  return [...names].sort((left, right) => position(left) - position(right));
}
