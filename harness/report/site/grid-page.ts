/*
 * What the pages promise to the scripts in client/, and nothing else of their markup is to be relied upon.
 *
 * Grid (index.html, loader-SLUG.html):
 *   <form id="filters" hidden>            shown by the script; without one it stays away
 *     <input type="search" name="text">   any part of a program's name, variant or title, or of a kernel's name
 *     <input type="checkbox" name="red">      only rows and columns with red cells
 *     <input type="checkbox" name="changed">  only what differs from the base run; absent without one
 *     <input type="checkbox" name="eol">      hide end-of-life kernels; absent if there is none
 *     <select name="class">               value "" for all, else the N of data-c; the option's text is the class's name
 *     <button type="reset">
 *     <output id="shown" aria-live="polite">  empty; the script says how much is shown
 *   <table id="grid" data-sparse?>
 *     thead: one row; its first cell is the corner, then for each kernel
 *       <th data-k="NAME" data-eol?><a href="kernels/SLUG.html">
 *     one tbody for each program, in it one row for each variant:
 *       <tr data-program="NAME" data-variant="NAME" data-title="TITLE" data-a="~VARIANT~LOADER" data-red? data-changed?>
 *         <th scope="row"><a href="programs/SLUG.html">
 *         <td class="L" data-c="N"? data-d="KIND"?>   one for each kernel, in the order of the heads
 *       L is the verdict's letter in VERDICT_LETTERS (results/history.ts), `n` if the cell was not run;
 *       data-c is there if its class is not `ok`; data-d is the kind of its change since the base run, if it changed.
 *       In it is a link to the cell's address. With data-sparse (a site of very many cells) only red and changed cells have one;
 *       the address of any other is HREF-OF-ROW + '#' + SLUG-OF-KERNEL + data-a, the slug being that of the head's href.
 *   Filters hide with the attribute `hidden` on tr, tbody, th and td.
 *
 * Other pages:
 *   <button type="button" class="copy" hidden data-copy="ID">   shown by the script; copies the text of the element with that id
 *   <p data-cells="~VARIANT~LOADER">SLUG SLUG …</p>   with data-sparse: cells that have no element of their own, by the slugs of their kernels
 *   <details> may hold the element that the address's fragment names: open it, and scroll there.
 */

import { DEFAULT_VARIANT } from '../../config/default-variant.ts';
import type { KernelResult } from '../../results/results.ts';
import { RED_VERDICTS } from '../../results/verdicts.ts';
import { isEndOfLife } from '../lifecycle.ts';
import type { GridRow } from '../rows.ts';
import { attribute, type Html, html, join } from './html.ts';
import { legend } from './legend.ts';
import { counted, type Page } from './page.ts';
import { headline, runStrip } from './run-strip.ts';
import { anchorEnd, gridPage, isRed, kernelPage, programPage, type Site, shownCells } from './site.ts';
import { gridCell } from './verdict-cell.ts';

/** The page of a loader's grid: programs down, kernels from the oldest to the newest across. */
export function renderGridPage(site: Site, loader: string): Page {
  const rows = site.rows.filter((row) => row.loader === loader);
  return {
    path: gridPage(site, loader),
    title: site.results.loaders.length > 1 ? `Grid of ${loader}` : 'Grid',
    about: `${headline(site)}.`,
    section: 'grid',
    body: html`${runStrip(site)}
<section class="grid-of" aria-label="Grid">
${loaderSwitch(site, loader)}
${filters(site, rows)}
${legend(site, shownCells(site, rows), {
  places: rows.length * site.kernels.length,
  ended: rows.length > 0 && site.kernels.some((kernel) => isEndOfLife(kernel, site.results.startedAt) === true),
})}
${grid(site, loader, rows)}
</section>`,
  };
}

/** Up to this many columns there is room for a word in each cell. */
const MOST_COLUMNS_IN_WORDS = 14;
/** Up to this many columns, and letters in the longest name, the names of kernels stand upright. */
const MOST_LETTERS_UPRIGHT = 10;

function grid(site: Site, loader: string, rows: readonly GridRow[]): Html {
  const { kernels, results } = site;
  if (rows.length === 0) return html`<p class="empty">Nothing was run by ${loader}.</p>`;
  const words = kernels.length <= MOST_COLUMNS_IN_WORDS;
  const upright = words && kernels.every(({ name }) => name.length <= MOST_LETTERS_UPRIGHT);
  const look = `grid${words ? ' words' : ''}${upright ? '' : ' turned'}`;
  const titles = new Map(results.programs.map(({ name, title }) => [name, title]));
  const slugs = kernels.map(({ name }) => site.slugOf(name));
  const heads = kernels.map((kernel) => kernelHead(site, kernel));
  return html`<div class="box" role="region" aria-label="Grid of ${loader}: programs down, kernels across" tabindex="0">
<table id="grid" class="${look}"${attribute('data-sparse', site.sparse)}>
<thead><tr><td class="corner">${counted(rows.length, 'row')} × ${counted(kernels.length, 'kernel')}${join(heads)}
${join(byProgram(rows).map((own) => html`<tbody>${join(own.map((row, index) => gridRow(site, row, { title: titles.get(row.program) ?? '', slugs, first: index === 0 })))}`))}
</table></div>`;
}

function kernelHead({ results }: Site, kernel: KernelResult): Html {
  const { name, release, source } = kernel;
  const ended = isEndOfLife(kernel, results.startedAt) === true;
  const about = `${release}, ${source}${ended ? ', end of life' : ''}`;
  return html`<th scope=col${attribute('data-k', name)}${attribute('data-eol', ended)}><a href="${kernelPage(name)}" title="${about}">${name}</a>`;
}

interface RowLook {
  readonly title: string;
  /** Of each kernel, in the order of the columns. */
  readonly slugs: readonly string[];
  /** Whether it is the first one of its program. */
  readonly first: boolean;
}

function gridRow(site: Site, row: GridRow, { title, slugs, first }: RowLook): Html {
  const page = programPage(row.program);
  const end = anchorEnd(row);
  let changed = false;
  const cells = site.kernels.map(({ name }, index) => {
    const cell = row.cells.get(name);
    const change = cell === undefined ? null : site.changeOf(cell);
    changed ||= change !== null;
    const matters = cell !== undefined && (RED_VERDICTS.has(cell.verdict) || change !== null);
    const shown = !site.sparse || matters;
    return gridCell(site, cell, { href: shown ? `${page}#${slugs[index]}${end}` : null, words: shown });
  });
  const own = row.variant === DEFAULT_VARIANT ? null : html`<b>@${row.variant}</b>`;
  const marks = html`${attribute('data-program', row.program)}${attribute('data-variant', row.variant)}${attribute('data-title', title)}${attribute('data-a', end)}${attribute('data-red', isRed(row))}${attribute('data-changed', changed)}`;
  return html`
<tr${marks}><th scope=row${attribute('class', first ? null : 'more')}><a href="${page}" title="${title}">${row.program}${own}</a>${join(cells)}`;
}

/** Rows of one program together; they are neighbours already. */
function byProgram(rows: readonly GridRow[]): GridRow[][] {
  const groups = new Map<string, GridRow[]>();
  for (const row of rows) {
    const group = groups.get(row.program);
    if (group === undefined) groups.set(row.program, [row]);
    else group.push(row);
  }
  return [...groups.values()];
}

/** The other loaders' grids; nothing if there is only one. */
function loaderSwitch(site: Site, current: string): Html | null {
  const { loaders } = site.results;
  if (loaders.length < 2) return null;
  const links = loaders.map(
    ({ name }) =>
      html`<a href="${gridPage(site, name)}"${attribute('aria-current', name === current ? 'page' : null)}>${name}</a>`,
  );
  return html`<nav class="loaders" aria-label="Loaders"><span>Loader</span>${join(links)}</nav>`;
}

/** Hidden without the script, because it would do nothing. */
function filters(site: Site, rows: readonly GridRow[]): Html {
  const { comparison, results, kernels, classes } = site;
  const ended = kernels.some((kernel) => isEndOfLife(kernel, results.startedAt) === true);
  const occurring = new Set<string>(rows.flatMap((row) => [...row.cells.values()].map((cell) => cell.outcome.class)));
  const options = [...classes.entries()].filter(([, name]) => occurring.has(name));
  return html`<form id="filters" class="filters" hidden aria-label="Filters">
<label class="search"><span>Search</span> <input type="search" name="text" placeholder="program or kernel" autocomplete="off" spellcheck="false"></label>
<label><span>Class</span> <select name="class"><option value="">all</option>${join(options.map(([number, name]) => html`<option value="${number}">${name}</option>`))}</select></label>
<label class="check"><input type="checkbox" name="red"> <span>Only red</span></label>
${
  comparison !== null &&
  html`<label class="check"><input type="checkbox" name="changed"> <span>Only differences</span></label>
`
}${
  ended &&
  html`<label class="check"><input type="checkbox" name="eol"> <span>Hide end-of-life kernels</span></label>
`
}<button type="reset">Clear</button>
<output id="shown" aria-live="polite"></output>
</form>`;
}
