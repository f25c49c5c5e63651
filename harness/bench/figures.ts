import { median, spreadOf } from './statistics.ts';

/** What a figure is counted in: milliseconds, bytes, or nothing. */
export type Unit = 'ms' | 'bytes' | 'count';

/** What was aimed at: for the median itself, or for its ratio to another figure's. */
export interface Aim {
  readonly of: 'value' | 'ratio';
  readonly limit: number;
  /** Which side of the limit is good. */
  readonly good: 'at-most' | 'at-least';
}

/** One thing that was measured, as often as it was. */
export interface Figure {
  readonly what: string;
  readonly unit: Unit;
  readonly values: readonly number[];
  /** `what` of the figure in the same finding that this one is compared with. */
  readonly against?: string;
  readonly aim?: Aim;
}

/** What one bench found out. */
export interface Finding {
  readonly name: string;
  readonly title: string;
  readonly figures: readonly Figure[];
  /** What a reader must know to read the figures right. */
  readonly notes: readonly string[];
}

/** The ratio of a figure's median to that of the figure it is compared with; undefined without one. */
export function ratioOf(figure: Figure, finding: Finding): number | undefined {
  const other = finding.figures.find(({ what }) => what === figure.against);
  return other === undefined ? undefined : median(figure.values) / median(other.values);
}

/** Whether a figure reached what was aimed at; undefined where nothing was, or nothing was measured. */
export function reached(figure: Figure, finding: Finding): boolean | undefined {
  const { aim, values } = figure;
  if (aim === undefined || values.length === 0) return undefined;
  const value = aim.of === 'value' ? median(values) : ratioOf(figure, finding);
  if (value === undefined || Number.isNaN(value)) return undefined;
  return aim.good === 'at-most' ? value <= aim.limit : value >= aim.limit;
}

/** Prints findings as plain text: a table each, with its notes below. */
export function renderFindings(findings: readonly Finding[]): string {
  return findings.map(renderFinding).join('\n');
}

function renderFinding(finding: Finding): string {
  const head = ['', 'median', 'lowest … highest', 'times', 'ratio', 'aim'];
  const rows = finding.figures.map((figure) => rowOf(figure, finding));
  const widths = head.map((title, column) => Math.max(title.length, ...rows.map((row) => (row[column] ?? '').length)));
  const print = (row: readonly string[]): string =>
    row
      .map((cell, column) => (column === 0 ? cell.padEnd(widths[0] ?? 0) : cell.padStart(widths[column] ?? 0)))
      .join('  ')
      .trimEnd();
  const lines = [`${finding.title} (--only ${finding.name})`, print(head), ...rows.map(print)];
  return `${[...lines, ...finding.notes.map((note) => `  ${note}`)].join('\n')}\n`;
}

function rowOf(figure: Figure, finding: Finding): string[] {
  const { what, unit, values, aim } = figure;
  if (values.length === 0) return [what, 'none', '', '0', '', ''];
  const spread = spreadOf(values);
  const ratio = ratioOf(figure, finding);
  const range = values.length === 1 ? '' : `${quantity(spread.lowest, unit)} … ${quantity(spread.highest, unit)}`;
  return [
    what,
    quantity(spread.median, unit),
    range,
    String(spread.count),
    ratio === undefined ? '' : ratioText(ratio),
    aim === undefined ? '' : `${aimText(aim, unit)} ${reached(figure, finding) === true ? '✔' : '✖'}`,
  ];
}

function aimText({ of, limit, good }: Aim, unit: Unit): string {
  return `${good === 'at-most' ? '≤' : '≥'} ${of === 'value' ? quantity(limit, unit) : ratioText(limit)}`;
}

/** `1.20×`; what is far below one as a fraction, `1/200`. */
function ratioText(ratio: number): string {
  return ratio < 0.1 ? `1/${Math.round(1 / ratio)}` : `${shortNumber(ratio)}×`;
}

/** A quantity for people: milliseconds up to a second, MB of a million bytes. */
export function quantity(value: number, unit: Unit): string {
  if (unit === 'count') return shortNumber(value);
  if (unit === 'bytes') return `${shortNumber(value / 1e6)} MB`;
  return Math.abs(value) < 1000 ? `${shortNumber(value)} ms` : `${shortNumber(value / 1000)} s`;
}

/** Three digits, at least as many as stand before the point. */
function shortNumber(value: number): string {
  const digits = Math.max(0, 2 - Math.floor(Math.log10(Math.max(1, Math.abs(value)))));
  return Number.isInteger(value) ? String(value) : value.toFixed(digits);
}
