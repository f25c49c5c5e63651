import { oldestFirst } from '../results/kernel-axes.ts';
import type { CellResult, RunResults } from '../results/results.ts';
import type { Verdict } from '../results/verdicts.ts';
import { type GridLayout, layOutGrid, widthOfColumns } from './grid-layout.ts';
import { LOOKS, MEANINGS, paintVerdict } from './looks.ts';
import type { Paint } from './paint.ts';
import { gridRows } from './rows.ts';

const NOT_RUN = '·';

/**
 * The grid: programs down, kernels across from the oldest to the newest, a legend of the verdicts that occur. Ends with a newline.
 *
 * @param width of the terminal in columns: what does not fit becomes symbols, then kernels' names are written downwards, then
 *   the grid is cut into several. Without it everything is written out.
 * @param shown names of the loaders whose grids are wanted. Default: all.
 */
export function renderGrid(
  results: RunResults,
  paint: Paint,
  width: number = Number.POSITIVE_INFINITY,
  shown: readonly string[] = results.loaders.map(({ name }) => name),
): string {
  const kernels = oldestFirst(results.kernels).map((kernel) => kernel.name);
  const rows = gridRows(results);
  const nameWidth = Math.max(7, ...rows.map((row) => row.name.length));
  const widest = new Map<string, number>();
  for (const { kernel, verdict } of results.cells) {
    widest.set(kernel, Math.max(widest.get(kernel) ?? 0, LOOKS[verdict].text.length));
  }
  const words = kernels.map((kernel) => widest.get(kernel) ?? 0);
  const layouts = layOutGrid(kernels, words, nameWidth, width);
  const several = results.loaders.length > 1;
  const loaders = several ? shown : [undefined];
  const blocks = loaders.flatMap((loader) =>
    layouts.map((layout) => {
      const title = loader === undefined ? [] : [paint.strong(`loader ${loader}`)];
      const own = rows.filter((row) => loader === undefined || row.loader === loader);
      const body = own.map((row) => renderRow(row.name.padEnd(nameWidth), row.cells, layout, paint));
      return `${[...title, ...renderHead(layout, nameWidth, paint), ...body].join('\n')}\n`;
    }),
  );
  return `${blocks.join('\n')}\n${renderLegend(results, paint, layouts[0]?.symbols === true)}`;
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
  cells: ReadonlyMap<string, CellResult>,
  { columns, gap, nameGap, symbols }: GridLayout,
  paint: Paint,
): string {
  const texts = columns.map(({ kernel, width }) => {
    const cell = cells.get(kernel);
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
