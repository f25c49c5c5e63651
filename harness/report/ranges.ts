import { cellName } from '../results/cell-name.ts';
import { wasNotRun } from '../results/ranges.ts';
import type { AxisResult, OutcomeRange, RangesResult, RunResults } from '../results/results.ts';
import type { Paint } from './paint.ts';

const INDENT = '    ';

/**
 * Since when, and until when, programs work: a line of ranges, and below it the programs it holds for. Ends with a newline; empty if no two
 * kernels that were run can be compared.
 *
 * @param width of the terminal in columns; names of programs are wrapped there
 */
export function renderRanges(ranges: RangesResult, paint: Paint, width: number = Number.POSITIVE_INFINITY): string {
  const axes = ranges.axes.filter((axis) => kernelsRunOn(axis, ranges) > 1);
  if (axes.length === 0) return '';
  const groups = new Map<string, { text: string; names: string[] }>();
  for (const { program, variant, ranges: own } of ranges.programs) {
    const plain = describeRanges(own, axes, SAME);
    const group = groups.get(plain) ?? { text: describeRanges(own, axes, paint), names: [] };
    groups.set(plain, group);
    group.names.push(cellName(program, variant));
  }
  const paragraphs = [...groups.values()].map(({ text, names }) => `${text}\n${wrap(names, width)}\n`);
  return `${paint.strong('since and until')} ${paint.dim(explain(axes))}\n${paragraphs.join('')}`;
}

/** The same loader by loader, each under its name, where there are several. */
export function renderRangesByLoader(
  { loaders, ranges }: Pick<RunResults, 'loaders' | 'ranges'>,
  paint: Paint,
  width?: number,
): string {
  if (loaders.length < 2) return renderRanges(ranges, paint, width);
  return loaders
    .flatMap(({ name }) => {
      const programs = ranges.programs.filter(({ loader }) => loader === name);
      const text = renderRanges({ ...ranges, programs }, paint, width);
      return text === '' ? [] : `${paint.strong(`loader ${name}`)}\n${text}`;
    })
    .join('\n');
}

/** What ranges are painted with: red is for what was not expected, which they do not tell. */
type RangePaint = Pick<Paint, 'good' | 'expected' | 'dim'>;

const SAME: RangePaint = { good: (text) => text, expected: (text) => text, dim: (text) => text };

function kernelsRunOn(axis: AxisResult, { programs }: RangesResult): number {
  const ranges = programs.flatMap((program) => program.ranges);
  const run = ranges.filter((range) => range.axis === axis.name && !wasNotRun(range));
  return new Set(run.flatMap((range) => range.kernels)).size;
}

function explain(axes: readonly AxisResult[]): string {
  const [first] = axes;
  return axes.length === 1 && first !== undefined
    ? `(${first.name}, oldest to newest; ✓ works, ✗ does not)`
    : '(each source oldest to newest; ✓ works, ✗ does not)';
}

/** "5.10 ✗ (no VARs), 6.1 … 7.3 ✓"; several axes are named. */
function describeRanges(ranges: readonly OutcomeRange[], axes: readonly AxisResult[], paint: RangePaint): string {
  const parts = axes.map(({ name }) => {
    const own = ranges.filter((range) => range.axis === name).map((range) => describeRange(range, paint));
    return `${axes.length > 1 ? `${name}: ` : ''}${own.join(', ')}`;
  });
  const apart = ranges
    .filter((range) => !axes.some(({ name }) => name === range.axis) && !wasNotRun(range))
    .map((range) => describeRange(range, paint));
  return [...parts, ...(apart.length === 0 ? [] : [apart.join(', ')])].join('; ');
}

function describeRange(range: OutcomeRange, paint: RangePaint): string {
  const { since, until, kernels, outcome, cause } = range;
  const where = kernels.length === 1 ? since : `${since} … ${until}`;
  switch (outcome) {
    case 'works':
      return `${where} ${paint.good('✓')}`;
    case 'fails':
      return `${where} ${paint.expected(`✗ (${cause})`)}`;
    case 'unknown':
      return paint.dim(`${where} unknown (${cause})`);
  }
}

function wrap(names: readonly string[], width: number): string {
  const lines: string[] = [];
  let line = INDENT;
  names.forEach((name, index) => {
    const word = index === names.length - 1 ? name : `${name},`;
    if (line !== INDENT && line.length + 1 + word.length > width) {
      lines.push(line);
      line = INDENT;
    }
    line += line === INDENT ? word : ` ${word}`;
  });
  return [...lines, line].join('\n');
}
