import type { Comparison } from '../../results/compare.ts';
import type { CellResult, RunResults } from '../../results/results.ts';
import { RED_VERDICTS, VERDICTS, type Verdict } from '../../results/verdicts.ts';
import { type Answer, describeAnswer } from '../answers.ts';
import { type CellName, cellLink } from '../cell-link.ts';
import { lookOf } from '../looks.ts';
import { codeSpan, inlineText, link } from './escape.ts';

/** What all reports in Markdown can be told beside the results. */
export interface MarkdownOptions {
  /** What changed since an earlier run: told first. */
  readonly comparison?: Comparison | undefined;
  /** Address of the site that `ksym-matrix report --format html` writes, for links to its pages. */
  readonly siteUrl?: string | undefined;
}

export const CELLS = { one: 'cell', many: 'cells' };

/** `1 cell`, `12 cells`. */
export function counted(count: number, { one, many }: { readonly one: string; readonly many: string }): string {
  return `${count} ${count === 1 ? one : many}`;
}

/** A verdict's symbol and word; red ones in bold. */
export function verdictMark(verdict: Verdict): string {
  return RED_VERDICTS.has(verdict) ? `**${lookOf(verdict)}**` : lookOf(verdict);
}

/** `300 ✔ pass, 12 ✖ FAIL`: the verdicts that occur. */
export function countsInWords(totals: Readonly<Record<Verdict, number>>): string {
  const seen = VERDICTS.filter((verdict) => totals[verdict] > 0);
  return seen.map((verdict) => `${totals[verdict]} ${lookOf(verdict)}`).join(', ');
}

/** How many cells of a run make it fail. */
export function countRed(totals: Readonly<Record<Verdict, number>>): number {
  return VERDICTS.reduce((sum, verdict) => sum + (RED_VERDICTS.has(verdict) ? totals[verdict] : 0), 0);
}

/** Address of a page of the site; undefined without a site. */
export function pageUrl(siteUrl: string | undefined, page: string): string | undefined {
  return siteUrl === undefined ? undefined : `${siteUrl.replace(/\/*$/, '/')}${page}`;
}

/** Address of a cell on the site; undefined without a site. */
export function cellUrl(siteUrl: string | undefined, cell: CellName): string | undefined {
  return pageUrl(siteUrl, cellLink(cell));
}

/** Beyond this many names, the number of those left says as much. */
const MOST_NAMES = 12;

/** Names as code spans. */
export function nameList(names: readonly string[], most: number = MOST_NAMES): string {
  return joined(names, codeSpan, most);
}

/** The kernels of cells, each linked to its cell; "all N kernels" where that is shorter. */
export function kernelLinks(
  cells: readonly CellName[],
  kernels: RunResults['kernels'],
  siteUrl: string | undefined,
): string {
  const first = new Map<string, CellName>();
  for (const cell of cells) if (!first.has(cell.kernel)) first.set(cell.kernel, cell);
  const everywhere = kernels.length > 2 && kernels.every(({ name }) => first.has(name));
  if (everywhere) return `all ${kernels.length} kernels`;
  return joined([...first.values()], (cell) => link(codeSpan(cell.kernel), cellUrl(siteUrl, cell)), MOST_NAMES);
}

function joined<Item>(items: readonly Item[], render: (item: Item) => string, most: number): string {
  const shown = items.slice(0, most).map(render).join(', ');
  return items.length <= most ? shown : `${shown} and ${items.length - most} more`;
}

/** Text that is to be one line among many: its first line, ended at a word if it is long. */
export function briefly(text: string, most: number = 200): string {
  const [line = ''] = text.trim().split('\n');
  if (line.length <= most) return line;
  const cut = line.slice(0, most).replace(/\s\S*$/, '');
  return `${cut} …`;
}

/** What a cell came to beside its verdict: `verifier-rejected in phase load (EACCES)`; empty if everything worked. */
export function outcomeInWords({ outcome }: Pick<CellResult, 'outcome'>): string {
  if (outcome.class === 'ok') return '';
  return `${outcome.class} in phase ${outcome.phase}${outcome.errno === undefined ? '' : ` (${outcome.errno})`}`;
}

/** What cells that ended alike came to, in lines of plain text. That everything worked is said by the verdict. */
export function plainLines(answer: Pick<Answer, 'example' | 'programs'>): string[] {
  return describeAnswer(answer).map((line) => line.replace(/^ok in phase check: /, ''));
}

/** Beyond these, it is the evidence's turn. */
const MOST_LINES = 12;
const LINE_CHARACTERS = 1000;

/** The same in lines of Markdown, not too many and none too long. */
export function answerLines(answer: Pick<Answer, 'example' | 'programs'>): string[] {
  const lines = plainLines(answer);
  const shown = lines.slice(0, MOST_LINES).map((line) => inlineText(briefly(line, LINE_CHARACTERS)));
  return lines.length <= MOST_LINES ? shown : [...shown, `and ${lines.length - MOST_LINES} more lines`];
}

/** Where all of a report can be read, for what was left out. */
export function elsewhere(siteUrl: string | undefined, runUrl: string | null | undefined): string {
  const site = link('the full report', siteUrl);
  if (site !== 'the full report') return site;
  const run = link('the results of this run', runUrl);
  return run === 'the results of this run' ? 'the results of the run: `ksym-matrix report RESULTS --format html`' : run;
}
