import { CHANGE_KINDS } from '../../results/compare.ts';
import { NOT_RUN_LETTER } from '../../results/history.ts';
import type { CellResult } from '../../results/results.ts';
import { VERDICTS } from '../../results/verdicts.ts';
import { LOOKS, MEANINGS } from '../looks.ts';
import { type Html, html, join } from './html.ts';
import type { Site } from './site.ts';
import { CHANGE_LOOKS, verdictClass, wordOf } from './verdict-cell.ts';

/** What a legend is for. */
export interface LegendOptions {
  /** How many cells the grid has room for: if it has fewer, some were not run. */
  readonly places: number;
  /** Whether heads of kernels are among them whose line has ended; default false. */
  readonly ended?: boolean;
}

/** What the symbols of a grid mean: those that occur in it. Null if there is nothing to tell. */
export function legend(
  site: Site,
  cells: readonly CellResult[],
  { places, ended = false }: LegendOptions,
): Html | null {
  const verdicts = new Set(cells.map(({ verdict }) => verdict));
  const kinds = new Set(cells.map((cell) => site.changeOf(cell)));
  const items = [
    ...VERDICTS.filter((verdict) => verdicts.has(verdict)).map(
      (verdict) =>
        html`<li><span class="key ${verdictClass(verdict)}">${LOOKS[verdict].symbol}</span> <b>${wordOf(verdict)}</b> <span>${MEANINGS[verdict]}</span>`,
    ),
    ...(cells.length < places ? [html`<li><span class="key n">${NOT_RUN_LETTER}</span> <b>not run</b>`] : []),
    ...CHANGE_KINDS.filter((kind) => kinds.has(kind)).map(
      (kind) =>
        html`<li><span class="key change ${kind}">${CHANGE_LOOKS[kind].sign}</span> <b>${CHANGE_LOOKS[kind].word}</b> <span>${CHANGE_LOOKS[kind].means}</span>`,
    ),
    ...(ended ? [html`<li><span class="eol">5.4</span> <b>kernel of a line that has ended</b>`] : []),
  ];
  return items.length === 0 ? null : html`<ul class="legend" aria-label="Legend">${join(items)}</ul>`;
}
