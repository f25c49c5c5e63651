import { flow, words } from '../flow.ts';
import { showControlsWithin, showOnOneLine } from '../formats/control-characters.ts';
import type { Paint } from '../paint.ts';
import { cutColumns } from './cut-columns.ts';
import {
  type Cause,
  type ComparedLoader,
  describeEffect,
  type Effect,
  type LoaderCell,
  type LoaderRow,
  type LoadersView,
  titleOf,
} from './loaders-view.ts';

/** How loaders are compared on a terminal. */
export interface LoadersTextOptions {
  readonly paint: Paint;
  /** Columns of the terminal: the grid is cut into several where it does not fit. */
  readonly width: number;
  /** Also the programs on which the loaders agree. */
  readonly all: boolean;
}

const INDENT = 4;

/** Loaders side by side, for a terminal: on which kernels each program works, then where they disagree and why, then how much. Ends with a newline. */
export function renderLoadersText(view: LoadersView, options: LoadersTextOptions): string {
  const shown = showControlsWithin(view);
  const { paint, width } = options;
  const rows = shown.rows.filter((row) => options.all || !row.agrees);
  const left = shown.rows.length - rows.length;
  const missing = shown.loaders.flatMap(({ name, unavailable }) =>
    unavailable === null ? [] : [{ name, unavailable }],
  );
  const blocks = [
    ...(rows.length === 0 ? [] : renderGrid(shown, rows, options)),
    left === 0
      ? []
      : flow(
          words(`${left} of ${shown.rows.length} programs are the same with all loaders (--all shows them)`, paint.dim),
          width,
          0,
        ),
    ...missing.map(({ name, unavailable }) =>
      flow([...words(name, paint.strong), ...words(`cannot be had: ${showOnOneLine(unavailable)}`)], width, INDENT, 0),
    ),
    ...shown.causes.map((cause) => renderCause(cause, options)),
    flow(words(summarizeLoaders(shown), shown.unexplained > 0 ? paint.bad : paint.strong), width, 0),
  ];
  return `${blocks
    .filter((lines) => lines.length > 0)
    .map((lines) => lines.join('\n'))
    .join('\n\n')}\n`;
}

/** How much loaders disagree about, in one line without an end. */
export function summarizeLoaders({ compared, disagreements, unexplained, causes }: LoadersView): string {
  const of = `${compared} pairs of program and kernel`;
  if (disagreements === 0) return `loaders agree on all of ${of}`;
  const known = causes.filter(({ difference }) => difference !== null).length;
  const reasons = `${known} known ${known === 1 ? 'difference' : 'differences'}`;
  const why =
    unexplained === 0 ? `all explained by ${reasons}` : `${unexplained} UNEXPLAINED, the others by ${reasons}`;
  return `loaders disagree on ${disagreements} of ${of}: ${why}`;
}

/** `6 of 63`. */
export function describeApart({ apart, compared }: ComparedLoader): string {
  return apart === 0 ? 'none' : `${apart} of ${compared}`;
}

/** Stands apart from ours on some kernel; without an explanation. */
const APART = '≠';
const UNEXPLAINED = '!';

function renderGrid(view: LoadersView, rows: readonly LoaderRow[], { paint, width }: LoadersTextOptions): string[][] {
  const counts = view.loaders.map(describeApart);
  const nameWidth = Math.max('differs on'.length, ...rows.map(({ name }) => name.length));
  const columns = view.loaders.map(({ name }, index) => ({
    name,
    index,
    width: Math.max(
      name.length,
      counts[index]?.length ?? 0,
      ...rows.map((row) => textOf(row.cells[index] ?? null).length),
    ),
  }));
  const blocks = cutColumns(columns, nameWidth, width).map((part) => {
    const line = (name: string, texts: readonly string[]): string => `${name}  ${texts.join('  ')}`.trimEnd();
    return [
      paint.strong(
        line(
          'program'.padEnd(nameWidth),
          part.map((column) => column.name.padEnd(column.width)),
        ),
      ),
      ...rows.map((row) =>
        line(
          row.name.padEnd(nameWidth),
          part.map((column) => paintCell(row.cells[column.index] ?? null, column.width, paint)),
        ),
      ),
      line(
        'differs on'.padEnd(nameWidth),
        part.map((column) => (counts[column.index] ?? '').padEnd(column.width)),
      ),
    ];
  });
  return [
    ...blocks,
    flow(
      words(
        `works on: all or none of ${view.kernels.join(' ')}, or those named (6.1+: 6.1 and later). ${APART} differs on some kernel, as explained below; ${UNEXPLAINED} without an explanation.`,
        paint.dim,
      ),
      width,
      0,
    ),
  ];
}

function textOf(cell: LoaderCell | null): string {
  if (cell === null) return '·';
  return `${cell.works}${cell.apart === 'none' ? '' : ` ${cell.unexplained ? UNEXPLAINED : APART}`}`;
}

function paintCell(cell: LoaderCell | null, width: number, paint: Paint): string {
  const text = textOf(cell).padEnd(width);
  if (cell === null) return paint.dim(text);
  if (cell.unexplained) return paint.bad(text);
  if (cell.apart !== 'none') return paint.expected(text);
  return cell.works === 'none' ? paint.dim(text) : paint.good(text);
}

function renderCause({ difference, effects }: Cause, options: LoadersTextOptions): string[] {
  const { paint, width } = options;
  const title =
    difference === null
      ? words('UNEXPLAINED: a disagreement that no known difference covers', paint.bad)
      : [...words(difference.id, paint.strong), ...words(titleOf(difference))];
  const why =
    difference === null
      ? []
      : [
          ...flow(words(`why: ${difference.why}`, paint.dim), width, INDENT),
          ...difference.source.flatMap((source) => flow(words(`see: ${source}`, paint.dim), width, INDENT)),
        ];
  return [...flow(title, width, INDENT, 0), ...effects.flatMap((effect) => renderEffect(effect, options)), ...why];
}

function renderEffect(effect: Effect, { paint, width }: LoadersTextOptions): string[] {
  const { loaders, programs, kernels, says, values } = effect;
  const kernelsText = kernels === 'all' ? 'all kernels' : kernels;
  return [
    ...flow(
      [...words(`${loaders.join(', ')} on ${kernelsText}:`, paint.expected), ...words(describeEffect(effect))],
      width,
      2 * INDENT,
      INDENT,
    ),
    ...flow(words(programs.join(', ')), width, 2 * INDENT),
    ...(says === null ? [] : flow(words(`says: ${says}`, paint.dim), width, 2 * INDENT)),
    ...values.flatMap(({ name, seen }) =>
      flow(
        words(`${name}: ${seen.map(({ value, loaders: own }) => `${value} (${own.join(', ')})`).join('; ')}`),
        width,
        2 * INDENT,
      ),
    ),
  ];
}
