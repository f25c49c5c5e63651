import type { RunResults } from '../../results/results.ts';
import { RED_VERDICTS, VERDICTS } from '../../results/verdicts.ts';
import { kernelPage, programPage } from '../cell-link.ts';
import { LOOKS, lookOf, MEANINGS } from '../looks.ts';
import { type GridRow, gridRows } from '../rows.ts';
import type { Leaf } from './budget.ts';
import { codeSpan, link, tableHead, tableRow } from './escape.ts';
import { cellUrl, type MarkdownOptions, pageUrl, verdictMark } from './phrases.ts';

const NOT_RUN = '·';

/** With more columns than this, only red cells have a word beside the symbol: they are what one looks for, and a comment is not wider. */
const MOST_WORDS = 6;

/** More columns than this can not be read at a time. */
const MOST_KERNELS = 12;

/**
 * The grid of results that are in order: programs down, kernels across, in several tables if there are many. The first loader's is whole, of each
 * further one only the rows that differ from it. Then the legend.
 */
export function gridParts(results: RunResults, { siteUrl }: MarkdownOptions, priority: number): Leaf[] {
  const kernels = results.kernels.map(({ name }) => name);
  const rows = gridRows(results);
  const [first, ...others] = results.loaders.map(({ name }) => name);
  const ofFirst = rows.filter(({ loader }) => loader === first);
  const known = new Map(ofFirst.map((row) => [row.name, verdictsOf(row, kernels)]));
  const parts: Leaf[] = tables(ofFirst, kernels, siteUrl, priority).map((table, index) =>
    index === 0 && others.length > 0 && first !== undefined ? captioned(table, `Loader ${codeSpan(first)}:`) : table,
  );
  for (const loader of others) {
    const own = rows.filter((row) => row.loader === loader);
    const differing = own.filter((row) => known.get(row.name) !== verdictsOf(row, kernels));
    const same = own.length - differing.length;
    const note = `Loader ${codeSpan(loader)}: ${same} of ${own.length} rows are the same as with ${codeSpan(first ?? '')}`;
    const [head, ...rest] = tables(differing, kernels, siteUrl, priority);
    parts.push(
      ...(head === undefined
        ? [{ texts: [`\n${note}.\n`], priority, noun: TABLES }]
        : [captioned(head, `${note}; these differ:`), ...rest]),
    );
  }
  return [
    ...parts,
    {
      texts: [legend(results, rows.length * kernels.length > results.cells.length)],
      priority: priority - 0.1,
      noun: { one: 'the legend', many: null },
    },
  ];
}

/** The same as one part, which is there as a whole, or with the rows only that have red cells, or not at all. */
export function wholeGrid(results: RunResults, options: MarkdownOptions, priority: number): Leaf {
  const parts = gridParts(results, options, priority);
  const longest = parts.map(({ texts }) => texts[0] ?? '').join('');
  const shortest = parts.map(({ texts }) => texts.at(-1) ?? '').join('');
  return {
    texts: longest === shortest ? [longest] : [longest, shortest],
    priority,
    noun: { one: 'the grid', many: null },
    shortened: { one: 'rows of the grid without a red cell', many: null },
  };
}

const TABLES = { one: 'table of the grid', many: 'tables of the grid' };
const GREEN_ROWS = { one: "table's rows without a red cell", many: "tables' rows without a red cell" };

function captioned(table: Leaf, caption: string): Leaf {
  return { ...table, texts: table.texts.map((text) => `\n${caption}\n${text}`) };
}

function verdictsOf(row: GridRow, kernels: readonly string[]): string {
  return kernels.map((kernel) => row.cells.get(kernel)?.verdict ?? NOT_RUN).join(' ');
}

function tables(
  rows: readonly GridRow[],
  kernels: readonly string[],
  siteUrl: string | undefined,
  priority: number,
): Leaf[] {
  if (rows.length === 0) return [];
  const count = Math.max(1, Math.ceil(kernels.length / MOST_KERNELS));
  const width = Math.ceil(kernels.length / count);
  return Array.from({ length: count }, (_, index) => {
    const columns = kernels.slice(index * width, (index + 1) * width);
    const names = columns.map((kernel) => link(codeSpan(kernel), pageUrl(siteUrl, kernelPage(kernel))));
    const head = `\n${tableHead(['Program', ...names])}`;
    const lines = rows.map((row) => ({
      text: renderRow(row, columns, siteUrl),
      red: columns.some((kernel) => RED_VERDICTS.has(row.cells.get(kernel)?.verdict ?? 'pass')),
    }));
    const all = head + lines.map(({ text }) => text).join('');
    const red = lines.filter((line) => line.red);
    if (red.length === 0 || red.length === lines.length) return { texts: [all], priority, noun: TABLES };
    return {
      texts: [all, head + red.map(({ text }) => text).join('')],
      priority,
      noun: TABLES,
      shortened: GREEN_ROWS,
    };
  });
}

function renderRow(row: GridRow, columns: readonly string[], siteUrl: string | undefined): string {
  const name = link(codeSpan(row.name), pageUrl(siteUrl, programPage(row.program)));
  const cells = columns.map((kernel) => {
    const cell = row.cells.get(kernel);
    if (cell === undefined) return NOT_RUN;
    const mark = verdictMark(cell.verdict).replace(' ', '\u00a0');
    if (RED_VERDICTS.has(cell.verdict)) return link(mark, cellUrl(siteUrl, cell));
    return columns.length > MOST_WORDS ? LOOKS[cell.verdict].symbol : mark;
  });
  return tableRow([name, ...cells]);
}

function legend({ totals }: RunResults, holes: boolean): string {
  const seen = VERDICTS.filter((verdict) => totals[verdict] > 0);
  const meanings = seen.map((verdict) => `${lookOf(verdict)}: ${MEANINGS[verdict]}`);
  return `\n${[...meanings, ...(holes ? [`${NOT_RUN} not run`] : [])].join(' · ')}\n`;
}
