import { flow, words } from '../flow.ts';
import { showControlsWithin } from '../formats/control-characters.ts';
import type { Paint } from '../paint.ts';
import { type Cause, describeEffect, type Effect, type EffectPlace } from './causes.ts';
import { cutColumns } from './cut-columns.ts';
import { type ComparedLoader, type LoaderCell, type LoaderRow, type LoadersView, titleOf } from './loaders-view.ts';

/** How loaders are compared on a terminal. */
export interface LoadersTextOptions {
  readonly paint: Paint;
  /** Columns of the terminal: the grid is cut into several where it does not fit. */
  readonly width: number;
  /** Also the programs on which the loaders agree. */
  readonly all: boolean;
}

const INDENT = 4;

/**
 * Loaders side by side, for a terminal: how much they disagree and why, loader by loader; then what nobody has explained, and the known differences; then on
 * which kernels each program works. Ends with a newline.
 */
export function renderLoadersText(view: LoadersView, options: LoadersTextOptions): string {
  const shown = showControlsWithin(view);
  const { paint, width } = options;
  const rows = shown.rows.filter((row) => options.all || !row.agrees);
  const left = shown.rows.length - rows.length;
  const summary = flow(words(summarizeLoaders(shown), shown.unexplained > 0 ? paint.bad : paint.strong), width, 0);
  const cut = !options.all && shown.causes.some(({ effects }) => effects.some(({ places }) => places.some(isLong)));
  const more = [
    ...(left === 0 ? [] : [`${left} of ${shown.rows.length} programs are the same with all loaders`]),
    ...(cut ? ['long lists of programs are cut'] : []),
  ];
  const blocks = [
    summary,
    renderLoaderList(shown, options),
    ...shown.causes.map((cause) => renderCause(cause, options)),
    ...(rows.length === 0 ? [] : renderGrid(shown, rows, options)),
    more.length === 0 ? [] : flow(words(`${more.join('; ')} (--all shows all)`, paint.dim), width, 0),
    summary,
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

/** What of a loader was not compared, as a sentence without an end; null if all of it was. */
export function describeGaps({ unavailable, untried, unseen }: ComparedLoader): string | null {
  if (unavailable !== null) return `cannot be had: ${unavailable}`;
  const gaps = [
    ...(untried === 0 ? [] : [`not tried on ${untried} that others were tried on`]),
    ...(unseen === 0 ? [] : [`not seen what it made of externs on ${unseen}`]),
  ];
  return gaps.length === 0 ? null : gaps.join(', ');
}

/** The kernels on which a program works with a loader, or that it is refused as it has to be. */
export function describeWorks({ works, refused }: LoaderCell): string {
  return refused && works === 'none' ? 'refused' : works;
}

/** Stands apart from ours on some kernel; without an explanation. */
const APART = '≠';
const UNEXPLAINED = '!';

function renderLoaderList(view: LoadersView, { paint, width }: LoadersTextOptions): string[] {
  const names = Math.max(...view.loaders.map(({ name }) => name.length));
  const counts = Math.max(...view.loaders.map((loader) => describeApart(loader).length));
  const column = names + 2 + 'differs on '.length + counts + 2;
  // On a narrow terminal there is no room for a column of reasons.
  const narrow = column + 30 > width;
  return view.loaders.flatMap((loader) => {
    const head = `${loader.name.padEnd(names)}  ${`differs on ${describeApart(loader)}`.padEnd(column - names - 4)}`;
    const gaps = describeGaps(loader);
    const reasons = loader.reasons.map(({ difference, count }, index) => ({
      text: `${difference ?? 'UNEXPLAINED'} ${count}${index === loader.reasons.length - 1 ? '' : ','}`,
      paint: difference === null ? paint.bad : paint.dim,
    }));
    const said = [...reasons, ...(gaps === null ? [] : words(`(${gaps})`, paint.expected))];
    if (narrow) return flow([...words(head), ...said], width, INDENT, 0);
    const [first = '', ...others] = flow(said, width, column);
    return [`${head}  ${first.trimStart()}`.trimEnd(), ...others];
  });
}

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
        `works on: all or none of ${view.kernels.join(' ')}, or those named (6.1+: 6.1 and later); refused: on all, as it has to be. ${APART} another answer, or other values, on some kernel, as explained above; ${UNEXPLAINED} without an explanation.`,
        paint.dim,
      ),
      width,
      0,
    ),
  ];
}

function textOf(cell: LoaderCell | null): string {
  if (cell === null) return '·';
  return `${describeWorks(cell)}${cell.apart === 'none' ? '' : ` ${cell.unexplained ? UNEXPLAINED : APART}`}`;
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
  return [
    ...flow(title, width, INDENT, 0),
    ...effects.flatMap((effect, index) => renderEffect(effect, index > 0, options)),
    ...why,
  ];
}

/** Programs of a place that are named where not all are wanted. */
const NAMED = 6;

function isLong({ programs }: EffectPlace): boolean {
  // One or two that are left out take no less room than the words that say so.
  return programs.length > NAMED + 2;
}

/** It works with neither loader, and sees nothing otherwise. */
function isOfLittleWeight({ answer, against, values }: Effect): boolean {
  return answer !== 'works' && !against.works && values.length === 0;
}

function renderEffect(effect: Effect, isMore: boolean, { paint, width, all }: LoadersTextOptions): string[] {
  const { loaders, places, says, values, answer, against } = effect;
  if (isMore && !all && isOfLittleWeight(effect)) {
    const count = new Set(places.flatMap(({ programs }) => programs)).size;
    const more = `with ${count} ${count === 1 ? 'program' : 'programs'} that ${count === 1 ? 'fails' : 'fail'} with ${against.loader}, too, for another reason`;
    return flow(
      [...words(`${loaders.join(', ')}:`, paint.expected), ...words(`${answer} ${more}`)],
      width,
      2 * INDENT,
      INDENT,
    );
  }
  return [
    ...flow(
      [...words(`${loaders.join(', ')}:`, paint.expected), ...words(describeEffect(effect))],
      width,
      2 * INDENT,
      INDENT,
    ),
    ...places.flatMap((place) => {
      const { kernels, programs } = place;
      const named = all || !isLong(place) ? programs : programs.slice(0, NAMED);
      const left = programs.length - named.length;
      return flow(
        words(
          `${kernels === 'all' ? 'all kernels' : kernels}: ${named.join(', ')}${left === 0 ? '' : ` and ${left} more`}`,
        ),
        width,
        3 * INDENT,
        2 * INDENT,
      );
    }),
    ...(says === null ? [] : flow(words(`says: ${says}`, paint.dim), width, 3 * INDENT, 2 * INDENT)),
    ...values.flatMap(({ name, seen }) =>
      flow(
        words(`${name}: ${seen.map(({ value, loaders: own }) => `${value} (${own.join(', ')})`).join('; ')}`),
        width,
        3 * INDENT,
        2 * INDENT,
      ),
    ),
  ];
}
