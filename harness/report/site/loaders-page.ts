import { comparedLoaders } from '../../results/disagreements.ts';
import { type Cause, describeEffect, type Effect } from '../loaders/causes.ts';
import { type LoaderCell, titleOf, viewLoaders } from '../loaders/loaders-view.ts';
import { type SupportCell, viewSupport } from '../loaders/support-view.ts';
import { describeApart, describeGaps, describeWorks, summarizeLoaders } from '../loaders/text.ts';
import { type Html, html, join } from './html.ts';
import type { Page } from './page.ts';
import { prose } from './prose.ts';
import { gridPage, type Site } from './site.ts';

/**
 * Loaders side by side (loaders.html): what each supports, on which kernels each program works, and where they disagree, with the reason. Null if there is
 * one loader.
 */
export function renderLoadersPage(site: Site): Page | null {
  const { results } = site;
  const differences = comparedLoaders(results);
  if (differences === undefined) return null;
  const view = viewLoaders(results, differences);
  const gaps = view.loaders.flatMap((loader) => {
    const gap = describeGaps(loader);
    return gap === null ? [] : { name: loader.name, gap };
  });
  const heads = join(
    results.loaders.map(
      ({ name, version }) => html`<th scope="col"><a href="${gridPage(site, name)}" title="${version}">${name}</a>`,
    ),
  );
  const rows = view.rows.map(
    (row) => html`
<tr><th scope="row">${row.name}${join(row.cells.map((cell) => html`<td>${cellText(cell)}`))}`,
  );
  return {
    path: 'loaders.html',
    title: 'Loaders',
    about: summarizeLoaders(view),
    section: 'loaders',
    body: html`<h1>Loaders</h1>
<p class="lead">${summarizeLoaders(view)}</p>
${join(gaps.map(({ name, gap }) => html`<p><b>${name}</b>: ${prose(gap)}</p>`))}
${supportTable(site)}
<h2>Where each program works</h2>
<p>All or none of ${view.kernels.join(', ')}, or the kernels that are named (6.1+: 6.1 and later); <i>refused</i>: on all, as it has to be. ≠ another answer, or other values, on some kernel, as explained below; <b>!</b> without an explanation.</p>
<div class="scroll tall" tabindex="0" role="region" aria-label="Where each program works, by loader"><table class="list"><thead><tr><th scope="col">Program${heads}</thead><tbody>${join(rows)}
<tr><th scope="row">differs on${join(view.loaders.map((loader) => html`<td>${describeApart(loader)}`))}</table></div>
<h2>Where they disagree, and why</h2>
${view.causes.length === 0 && html`<p class="empty">They agree everywhere.</p>`}
${join(view.causes.map(causeArticle))}`,
  };
}

/** Where the cause of a difference can be looked up: addresses as links. */
export function sourceList(sources: readonly string[]): Html {
  return join(sources.map(sourceText), html`<br>`);
}

function sourceText(source: string): Html {
  const [address] = /https?:\/\/[^\s<>"']+/.exec(source) ?? [];
  if (address === undefined || !URL.canParse(address)) return prose(source);
  const [before = '', after = ''] = source.split(address);
  return html`${before}<a href="${address}">${address.replace(/^https?:\/\//, '')}</a>${after}`;
}

function supportTable(site: Site): Html | null {
  const { columns, rows } = viewSupport(site.results);
  if (columns.length === 0) return null;
  const heads = join(columns.map(({ name, programs }) => html`<th scope="col" title="${programs.join(', ')}">${name}`));
  const body = rows.map(
    ({ loader, version, cells }) => html`
<tr><th scope="row">${loader}<td>${version}${join(cells.map((cell) => html`<td>${supportText(cell)}`))}`,
  );
  return html`<h2>What each supports</h2>
<div class="scroll" tabindex="0" role="region" aria-label="What each loader supports"><table class="list"><thead><tr><th scope="col">Loader<th scope="col">Version${heads}</thead><tbody>${join(body)}</table></div>`;
}

function supportText(cell: SupportCell | null): Html {
  if (cell === null) return html`·`;
  const { works, partly } = cell;
  if (partly === 'none') return html`${works}`;
  return html`${works !== 'none' && `${works}; `}<i>partly</i>${partly !== 'all' && `: ${partly}`}`;
}

function cellText(cell: LoaderCell | null): Html {
  if (cell === null) return html`·`;
  const { apart, unexplained } = cell;
  const text = describeWorks(cell);
  return html`${text === 'refused' ? html`<i>refused</i>` : text}${apart !== 'none' && (unexplained ? html` <b>!</b>` : ' ≠')}`;
}

function causeArticle({ difference, effects }: Cause): Html {
  const red = difference === null;
  return html`<article class="answer${red && ' red'}">
<h3>${difference === null ? 'Unexplained' : prose(titleOf(difference))}</h3>
${
  difference !== null &&
  html`<dl class="why"><div><dt>Why</dt><dd>${prose(difference.why)}</dd></div><div><dt>Source</dt><dd>${sourceList(difference.source)}</dd></div><div><dt>Known as</dt><dd><code>${difference.id}</code></dd></div></dl>`
}
<ul>${join(effects.map(effectItem))}</ul>
</article>`;
}

function effectItem(effect: Effect): Html {
  const { loaders, places, says, values } = effect;
  const where = places.map(
    ({ kernels, programs }) =>
      html`<br>${kernels === 'all' ? 'all kernels' : kernels}: <span class="soft">${programs.join(', ')}</span>`,
  );
  const lists = values.map(
    ({ name, seen }) =>
      html`<br><code>${name}</code>: ${seen.map(({ value, loaders: own }) => `${value} (${own.join(', ')})`).join('; ')}`,
  );
  return html`
<li><b>${loaders.join(', ')}</b>: ${describeEffect(effect)}${join(where)}${join(lists)}${says !== null && html`<pre class="log" tabindex="0">${says}</pre>`}`;
}
