import { cellName } from '../../results/cell-name.ts';
import { type CellChange, CHANGE_KINDS, type ChangeKind, type Comparison } from '../../results/compare.ts';
import type { CellResult } from '../../results/results.ts';
import { cellLink, programPage } from '../cell-link.ts';
import { type Html, html, join, webLink } from './html.ts';
import { commitOf, counted, dateOf, formatCount, type Page } from './page.ts';
import type { Site } from './site.ts';
import { badge, CHANGE_LOOKS } from './verdict-cell.ts';

/** What differs from the base run, the worst first. */
export function renderChangesPage(site: Site): Page {
  const { comparison } = site;
  const about =
    comparison === null
      ? 'This run was not held against another'
      : `${counted(comparison.changes.length, 'cell differs', 'cells differ')} from run ${comparison.base.id}`;
  return {
    path: 'changes.html',
    title: 'Changes',
    about,
    section: 'changes',
    body: comparison === null ? NOTHING_TO_COMPARE : changes(site, comparison),
  };
}

const NOTHING_TO_COMPARE = html`<h1>Changes</h1>
<p class="empty">This run was not held against another, so nothing can be said about what changed. <code>ksym-matrix report results.json --format html --base base.json</code> does it.</p>`;

function changes(site: Site, comparison: Comparison): Html {
  const { base, head, counts, unchanged, kernels } = comparison;
  const parts = CHANGE_KINDS.filter((kind) => counts[kind] > 0);
  const summary = parts.map(
    (kind) =>
      html`<li><a class="change ${kind}" href="#${kind}">${CHANGE_LOOKS[kind].sign} ${formatCount(counts[kind])} ${CHANGE_LOOKS[kind].word}</a>`,
  );
  const run = (name: string, { id, startedAt, origin }: Comparison['base']): Html => html`
<tr><th scope="row">${name}<td>${webLink(origin.url, html`<code>${id}</code>`)}<td>${dateOf(startedAt)}<td>${commitOf(origin) ?? html`<span class="soft">unknown</span>`}`;
  return html`<h1>Changes since the base run</h1>
<ul class="totals">${summary.length === 0 ? html`<li>Nothing changed` : join(summary)}<li class="soft">${formatCount(unchanged)} unchanged</ul>
<div class="scroll"><table class="list"><thead><tr><td><th scope="col">Run<th scope="col">Date<th scope="col">Commit</thead><tbody>${run('Base', base)}${run('This run', head)}</table></div>
${kernels.length > 0 && kernelChanges(kernels)}
${join(
  parts.map((kind) =>
    section(
      site,
      kind,
      comparison.changes.filter((change) => change.kind === kind),
    ),
  ),
)}`;
}

/** Another kernel under the same name may be why a cell ended otherwise. */
function kernelChanges(kernels: Comparison['kernels']): Html {
  const rows = kernels.map(
    ({ name, base, head }) => html`
<tr><th scope="row">${name}<td class="wrap">${base}<td class="wrap">${head}`,
  );
  return html`<h2>Kernels that are not the same</h2>
<p class="soft">They have the same name in both runs, and are not the same kernel, which may be why cells changed.</p>
<div class="scroll"><table class="list"><thead><tr><th scope="col">Kernel<th scope="col">Base<th scope="col">This run</thead><tbody>${join(rows)}</table></div>`;
}

/** Changes of a kind; those of one program that went the same way share a line. */
function section(site: Site, kind: ChangeKind, all: readonly CellChange[]): Html {
  const groups = new Map<string, CellChange[]>();
  for (const change of all) {
    const key = JSON.stringify([
      change.program,
      change.variant,
      change.loader,
      stateOf(change.base),
      stateOf(change.head),
    ]);
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [change]);
    else group.push(change);
  }
  const loaders = site.results.loaders.length > 1;
  const rows = [...groups.values()].map((own) => row(site, own, loaders));
  return html`<h2 id="${kind}"><span class="change ${kind}">${CHANGE_LOOKS[kind].sign} ${CHANGE_LOOKS[kind].word}</span> <span class="soft">${counted(all.length, 'cell')}: ${CHANGE_LOOKS[kind].means}</span></h2>
<div class="scroll" tabindex="0" role="region" aria-label="${CHANGE_LOOKS[kind].word}"><table class="list"><thead><tr><th scope="col">Program${loaders && html`<th scope="col">Loader`}<th scope="col">Kernels<th scope="col">Before<th scope="col">Now<th scope="col">Why</thead><tbody>${join(rows)}</table></div>`;
}

function row(site: Site, own: readonly CellChange[], loaders: boolean): Html {
  const [first] = own;
  if (first === undefined) return html``;
  const { program, variant, loader, base, head } = first;
  const name = html`<code>${cellName(program, variant)}</code>`;
  const here = site.results.programs.some((one) => one.name === program);
  const kernels = own.map((change) =>
    change.head === null ? html`${change.kernel}` : html`<a href="${cellLink(change)}">${change.kernel}</a>`,
  );
  const [why = ''] = (head?.why ?? '').split('\n');
  return html`
<tr><th scope="row">${here ? html`<a href="${programPage(program)}">${name}</a>` : name}${loaders && html`<td>${loader}`}<td>${join(kernels, ', ')}<td>${state(base)}<td>${state(head)}<td class="wrap">${why}`;
}

function state(cell: CellResult | null): Html {
  if (cell === null) return html`<span class="soft">not there</span>`;
  const { verdict, outcome } = cell;
  return html`${badge(verdict)}${outcome.class !== 'ok' && html`<br><code>${outcome.class}</code> <span class="soft">in ${outcome.phase}</span>`}`;
}

function stateOf(cell: CellResult | null): unknown {
  return cell === null ? null : [cell.verdict, cell.outcome.class, cell.outcome.phase, cell.why];
}
