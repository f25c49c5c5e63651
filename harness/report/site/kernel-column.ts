import type { CellResult } from '../../results/results.ts';
import { RED_VERDICTS, VERDICTS, type Verdict } from '../../results/verdicts.ts';
import type { GridRow } from '../rows.ts';
import { type Html, html, join } from './html.ts';
import { legend } from './legend.ts';
import { anchorEnd, programPage, type Site } from './site.ts';
import { badge, gridCell } from './verdict-cell.ts';

/** A kernel's column of the grid: programs down, loaders across. Where there are very many cells, programs that all loaders agree about are only named. */
export function kernelColumn(site: Site, kernel: string): Html {
  const groups = new Map<string, Map<string, GridRow>>();
  for (const row of site.rows) {
    if (!row.cells.has(kernel)) continue;
    const own = groups.get(row.name) ?? new Map<string, GridRow>();
    groups.set(row.name, own.set(row.loader, row));
  }
  if (groups.size === 0) return html`<p class="empty">Nothing was run on it.</p>`;
  const agreed = new Map<Verdict, Html[]>();
  const rows: Html[] = [];
  for (const [name, own] of groups) {
    const [first] = own.values();
    const page = `../${programPage(first?.program ?? '')}`;
    const verdict = site.sparse ? agreedVerdict(site, [...own.values()], kernel) : null;
    if (verdict === null) {
      rows.push(html`
<tr><th scope=row><a href="${page}">${name}</a>${across(site, own, kernel, page)}`);
    } else {
      const link = html`<a href="${page}">${name}</a>`;
      const others = agreed.get(verdict);
      if (others === undefined) agreed.set(verdict, [link]);
      else others.push(link);
    }
  }
  const told = VERDICTS.flatMap((verdict) => {
    const links = agreed.get(verdict);
    return links === undefined
      ? []
      : html`<p class="named">${badge(verdict)} by every loader: ${join(links, ', ')}</p>`;
  });
  return html`${join(told)}${rows.length > 0 && table(site, kernel, rows)}`;
}

function table(site: Site, kernel: string, rows: readonly Html[]): Html {
  const { loaders } = site.results;
  const cells = site.rows.flatMap((row) => row.cells.get(kernel) ?? []);
  const heads = isWordy(site)
    ? html`<th scope=col><span>Verdict</span><th scope=col class=told><span>Outcome</span>`
    : join(loaders.map((loader) => html`<th scope=col><span>${loader.name}</span>`));
  return html`${legend(site, cells, { places: rows.length * loaders.length })}
<div class="box" role="region" aria-label="Programs down, loaders across" tabindex="0"><table class="grid words small">
<thead><tr><td class="corner">Program${heads}<tbody>${join(rows)}</table></div>`;
}

/** Whether there is room beside the only loader's verdict for what happened. */
function isWordy({ sparse, results }: Site): boolean {
  return !sparse && results.loaders.length === 1;
}

function across(site: Site, own: ReadonlyMap<string, GridRow>, kernel: string, page: string): Html {
  const cells = site.results.loaders.map(({ name }) => {
    const row = own.get(name);
    const cell = row?.cells.get(kernel);
    const shown = !site.sparse || (cell !== undefined && matters(site, cell));
    const href = shown && row !== undefined ? `${page}#${site.slugOf(kernel)}${anchorEnd(row)}` : null;
    const shownCell = gridCell(site, cell, { href, words: shown });
    return isWordy(site) ? html`${shownCell}${outcomeCell(cell)}` : shownCell;
  });
  return join(cells);
}

function matters(site: Site, cell: CellResult): boolean {
  return RED_VERDICTS.has(cell.verdict) || site.changeOf(cell) !== null;
}

/** The verdict that every loader came to; null if they differ, or if there is more to say of a cell. */
function agreedVerdict(site: Site, rows: readonly GridRow[], kernel: string): Verdict | null {
  if (rows.length < site.results.loaders.length) return null;
  const cells = rows.flatMap((row) => row.cells.get(kernel) ?? []);
  const [first] = cells;
  if (first === undefined) return null;
  return cells.every((cell) => cell.verdict === first.verdict && !matters(site, cell)) ? first.verdict : null;
}

function outcomeCell(cell: CellResult | undefined): Html {
  if (cell === undefined || cell.outcome.class === 'ok') return html`<td class=told>`;
  const [first = ''] = cell.outcome.message.split('\n');
  return html`<td class=told><code>${cell.outcome.class}</code> ${first}`;
}
