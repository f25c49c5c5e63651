import { cellName } from '../../results/cell-name.ts';
import { firstBadRun, type HistoryRun, NOT_RUN_LETTER, summariseRun, VERDICT_LETTERS } from '../../results/history.ts';
import { RED_VERDICTS, VERDICTS } from '../../results/verdicts.ts';
import { cellLink, programPage } from '../cell-link.ts';
import { LOOKS } from '../looks.ts';
import { attribute, type Html, html, join, webLink } from './html.ts';
import { commitOf, counted, dateOf, type Page } from './page.ts';
import { cellsInOrder, type Site } from './site.ts';
import { badge, countBadge } from './verdict-cell.ts';

/** Past runs and this one: their totals, what is red since when, and how each row fared. */
export function renderHistoryPage(site: Site): Page {
  const { results, history } = site;
  const known = history.some(({ id }) => id === results.id);
  // The run itself is in its history only if it was added before the report was made.
  const runs = history.length === 0 ? [] : known ? history : [summariseRun(results), ...history].sort(newestFirst);
  return {
    path: 'history.html',
    title: 'History',
    about: runs.length === 0 ? 'No past runs were given' : `${counted(runs.length, 'run')}, newest first`,
    section: 'history',
    body:
      runs.length === 0
        ? NO_HISTORY
        : html`<h1>History</h1>
<p class="lead">${counted(runs.length, 'run')}, newest first</p>
${redSince(site, runs)}
${trends(site, runs)}
<h2>Runs <span class="soft">newest first</span></h2>
${runTable(site, runs)}`,
  };
}

/** A report may be made of a run that is older than its history. */
function newestFirst(left: HistoryRun, right: HistoryRun): number {
  return Date.parse(right.startedAt) - Date.parse(left.startedAt);
}

const NO_HISTORY = html`<h1>History</h1>
<p class="empty">No past runs were given, so nothing can be said about them. <code>ksym-matrix history add results.json --to FOLDER</code> keeps a run in a few kilobytes, and <code>ksym-matrix report results.json --format html --history FOLDER</code> shows them.</p>`;

function runTable({ results }: Site, runs: readonly HistoryRun[]): Html {
  const rows = runs.map(({ id, startedAt, origin, toolVersion, accelerator, complete, totals, kernels }) => {
    const name = html`<code>${id}</code>`;
    const badges = VERDICTS.filter((verdict) => totals[verdict] > 0).map(
      (verdict) => html`<li>${countBadge(verdict, totals[verdict])}`,
    );
    return html`
<tr><th scope="row">${webLink(origin.url, name)}${id === results.id && html` <span class="soft">this run</span>`}${!complete && html` <b>interrupted</b>`}<td>${dateOf(startedAt)}<td>${commitOf(origin) ?? html`<span class="soft">unknown</span>`}<td><ul class="totals">${join(badges)}</ul><td>${kernels.length}<td>${toolVersion}<td>${accelerator === 'kvm' ? 'KVM' : 'TCG'}`;
  });
  return html`<div class="scroll tall" tabindex="0" role="region" aria-label="Runs"><table class="list"><thead><tr><th scope="col">Run<th scope="col">Date<th scope="col">Commit<th scope="col">Cells<th scope="col">Kernels<th scope="col">Tool<th scope="col">Accelerator</thead><tbody>${join(rows)}</table></div>`;
}

/** Beyond this many red cells, the grid says more. */
const MOST_RED = 200;

/** Since which run each cell is red that is red now. */
function redSince(site: Site, runs: readonly HistoryRun[]): Html {
  const { results } = site;
  const red = cellsInOrder(site).filter(({ verdict }) => RED_VERDICTS.has(verdict));
  const here = runs.findIndex(({ id }) => id === results.id);
  const until = runs.slice(Math.max(0, here));
  const rows = red.slice(0, MOST_RED).map((cell) => {
    const since = firstBadRun(until, cell, cell.kernel);
    const runsAgo = since === null ? 0 : until.indexOf(since);
    const when =
      since === null
        ? html`<span class="soft">nothing was learnt of it</span>`
        : html`${dateOf(since.startedAt)} <code>${since.id}</code>`;
    const ago =
      since === null
        ? ''
        : runsAgo === 0
          ? 'this run is the first'
          : `${counted(runsAgo, 'run')} ago${runsAgo === until.length - 1 ? ', or earlier' : ''}`;
    return html`
<tr><th scope="row"><a href="${cellLink(cell)}"><code>${cellName(cell.program, cell.variant)}</code> on ${cell.kernel}</a>${results.loaders.length > 1 && html` <span class="soft">${cell.loader}</span>`}<td>${badge(cell.verdict)}<td>${when}<td>${since !== null && commitOf(since.origin)}<td>${ago}`;
  });
  if (rows.length === 0) return html`<h2>Red since</h2><p class="empty">Nothing is red.</p>`;
  return html`<h2>Red since <span class="soft">${counted(red.length, 'cell')}</span></h2>
<div class="scroll" tabindex="0" role="region" aria-label="Red since"><table class="list"><thead><tr><th scope="col">Cell<th scope="col">Now<th scope="col">First bad run<th scope="col">Its commit<th scope="col">How long</thead><tbody>${join(rows)}</table></div>
${red.length > rows.length && html`<p class="soft">The grid has ${red.length - rows.length} more.</p>`}`;
}

const MOST_RUNS = 30;

/** A row for each of the grid, a column for each of the last runs, the newest at the right. */
function trends(site: Site, all: readonly HistoryRun[]): Html {
  const runs = all.slice(0, MOST_RUNS).reverse();
  const verdicts = runs.map((run) => new Map(run.rows.map((row) => [keyOf(row), row.verdicts])));
  const heads = runs.map(
    ({ id, startedAt }) =>
      html`<th scope=col><span title="${id}">${startedAt.slice(5, 10)}<b> ${startedAt.slice(11, 16)}</b></span>`,
  );
  const rows = site.rows.map((row) => {
    const cells = verdicts.map((own, index) => trendCell(own.get(keyOf(row)), runs[index]?.kernels.length ?? 0));
    return html`
<tr><th scope=row><a href="${programPage(row.program)}">${row.name}${site.results.loaders.length > 1 && html` <span class="soft">${row.loader}</span>`}</a>${join(cells)}`;
  });
  return html`<h2>Row by row <span class="soft">the last ${counted(runs.length, 'run')}, newest at the right</span></h2>
<ul class="legend" aria-label="Legend"><li><span class="key p">${LOOKS.pass.symbol}</span> <b>all as expected</b><li><span class="key F">2</span> <b>that many cells red</b><li><span class="key n">.</span> <b>not run</b></ul>
<div class="box" role="region" aria-label="Rows down, runs across" tabindex="0"><table class="grid small turned">
<thead><tr><td class="corner">Program${join(heads)}<tbody>${join(rows)}</table></div>`;
}

function trendCell(letters: string | undefined, kernels: number): Html {
  const run = [...(letters ?? '')].filter((letter) => letter !== NOT_RUN_LETTER);
  if (run.length === 0) return html`<td class=n><span title="not run">.<b> not run</b></span>`;
  const red = run.filter((letter) => RED_LETTERS.has(letter)).length;
  const words = red === 0 ? `all of ${run.length} as expected` : `red of ${run.length}`;
  const text = red === 0 ? LOOKS.pass.symbol : String(red);
  const missing = run.length < kernels ? `, ${kernels - run.length} not run` : '';
  return html`<td${attribute('class', red === 0 ? 'p' : 'F')}><span title="${red === 0 ? '' : `${red} `}${words}${missing}">${text}<b> ${words}</b></span>`;
}

const RED_LETTERS: ReadonlySet<string> = new Set([...RED_VERDICTS].map((verdict) => VERDICT_LETTERS[verdict]));

function keyOf({ loader, program, variant }: { loader: string; program: string; variant: string }): string {
  return JSON.stringify([loader, program, variant]);
}
