import { CHANGE_KINDS } from '../../results/compare.ts';
import { RED_VERDICTS, VERDICTS } from '../../results/verdicts.ts';
import { type Html, html, type Insert, join, markup, webLink } from './html.ts';
import { commitOf, counted, dateOf, formatCount } from './page.ts';
import type { Site } from './site.ts';
import { CHANGE_LOOKS, countBadge } from './verdict-cell.ts';

/** What a run came to and what it was run with: the head of the grid's pages. */
export function runStrip(site: Site): Html {
  const { results } = site;
  return html`<div class="strip">
<div class="verdict">
<h1>${headline(site)}</h1>
${totals(site)}
${delta(site)}
</div>
<div class="about-run"><p>${join(when(site), markup(' <span class="dot">·</span> '))}</p>
<details><summary>Versions and machine</summary><dl class="facts">${facts(site).map(([name, value]) => html`<div><dt>${name}</dt><dd>${value}</dd></div>`)}</dl></details></div>
${!results.complete && html`<p class="warning"><b>Interrupted.</b> The run was stopped before its end: cells are missing.</p>`}
</div>`;
}

/** In one line: `All 550 cells on 11 kernels are as expected`. */
export function headline({ results }: Pick<Site, 'results'>): string {
  const { cells, kernels, totals: counts, complete } = results;
  const red = [...RED_VERDICTS].reduce((sum, verdict) => sum + counts[verdict], 0);
  const where = `on ${counted(kernels.length, 'kernel')}`;
  if (cells.length === 0) return `No cell was run ${where}`;
  if (red > 0)
    return `${formatCount(red)} of ${counted(cells.length, 'cell')} ${where} ${red === 1 ? 'is' : 'are'} not as expected`;
  // Of a run that was stopped, nobody knows what all cells would have come to.
  if (!complete) return `${counted(cells.length, 'cell')} ${where} ran before the run was stopped, as expected`;
  return cells.length === 1
    ? `The only cell ${where} is as expected`
    : `All ${formatCount(cells.length)} cells ${where} are as expected`;
}

/** How many cells have each verdict: those that occur, and the two good ones in any case. */
function totals({ results }: Site): Html {
  const shown = VERDICTS.filter((verdict) => results.totals[verdict] > 0 || !RED_VERDICTS.has(verdict));
  const items = shown.map((verdict) => html`<li>${countBadge(verdict, results.totals[verdict])}`);
  return html`<ul class="totals" aria-label="Cells by verdict">${join(items)}</ul>`;
}

/** What changed since the base run, in a line that leads to the page of it. */
function delta({ comparison }: Site): Html | null {
  if (comparison === null) return null;
  const { base, counts } = comparison;
  const parts = CHANGE_KINDS.filter((kind) => counts[kind] > 0).map(
    (kind) =>
      html`<span class="change ${kind}">${CHANGE_LOOKS[kind].sign} ${formatCount(counts[kind])} ${CHANGE_LOOKS[kind].word}</span>`,
  );
  const what: Insert = parts.length === 0 ? 'Nothing changed' : join(parts, ' ');
  return html`<p class="delta">${what} since <a href="changes.html">run <code>${base.id}</code></a>${base.origin.commit !== null && html` of <code>${base.origin.commit.slice(0, 12)}</code>`}</p>`;
}

/** What tells one run from another, at a glance. */
function when({ results }: Site): readonly Insert[] {
  const { id, origin, tool, host } = results;
  const commit = commitOf(origin);
  return [
    html`run ${webLink(origin.url, html`<code>${id}</code>`)}`,
    ...(commit === null ? [] : [html`commit ${commit}`]),
    `${tool.name} ${tool.version}`,
    host.accelerator === 'kvm' ? 'KVM' : 'emulated',
  ];
}

function facts({ results }: Site): (readonly [string, Insert])[] {
  const { startedAt, origin, host, timings, shards, engine, loaders, matrix } = results;
  return [
    ['Date', dateOf(startedAt)],
    ...(origin.repository === null ? [] : [['Repository', origin.repository] as const]),
    ['Matrix', html`<code>${matrix.path}</code>`],
    [loaders.length === 1 ? 'Loader' : 'Loaders', listLoaders(loaders)],
    ['Compiler', host.clang],
    ['Machine', host.qemu],
    ['virtme-ng', host.virtmeNg],
    [
      'Accelerator',
      html`<span title="${host.acceleratorReason}">${host.accelerator === 'kvm' ? 'KVM' : 'none (TCG emulation)'}</span>`,
    ],
    [
      'Took',
      `${formatDuration(timings.total ?? 0)}, ${counted(engine.jobs, 'machine')} at a time${shards > 1 ? `, ${shards} shards` : ''}`,
    ],
  ];
}

/** Beyond this many loaders, the switch above the grid lists them. */
const MOST_LOADERS = 4;

function listLoaders(loaders: Site['results']['loaders']): string {
  if (loaders.length > MOST_LOADERS) return String(loaders.length);
  return loaders.map(({ name, version }) => `${name} ${version}`).join(', ');
}

/** `19 s`, `3 min 14 s`, `2 h 5 min`. */
function formatDuration(milliseconds: number): string {
  const seconds = Math.round(milliseconds / 1000);
  if (seconds < 60) return `${seconds} s`;
  const minutes = Math.floor(seconds / 60);
  return minutes < 60 ? `${minutes} min ${seconds % 60} s` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}
