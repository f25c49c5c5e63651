import type { CellResult, ProgramResult } from '../../results/results.ts';
import { RED_VERDICTS } from '../../results/verdicts.ts';
import { lookOf } from '../looks.ts';
import { repeatCommand } from '../repeat.ts';
import { sentenceOf } from '../sentence.ts';
import { externTable, valueTable, whereOf } from './cell-tables.ts';
import { attribute, type Html, html, type Insert, join } from './html.ts';
import { sourceList } from './loaders-page.ts';
import { consoleExcerpts, loaderOutputs, splatList, verifierLogs } from './logs.ts';
import { counted } from './page.ts';
import type { ProgramAnswer } from './program-answers.ts';
import { listWords, prose } from './prose.ts';
import { anchorEnd, kernelPage, type Site } from './site.ts';
import { decidingLine } from './source-listing.ts';
import { badge, CHANGE_LOOKS } from './verdict-cell.ts';

/** Everything about cells that ended alike, and an anchor for each of them. */
export function answerArticle(site: Site, program: ProgramResult, { cells, red }: ProgramAnswer): Html {
  const [example] = cells;
  const shown = cells.slice(0, mostShown(site, red));
  const kernel = whereOf(cells, 3);
  const loader = listWords([...new Set(cells.map((cell) => cell.loader))], 3, 'loaders');
  return html`<article class="answer${red && ' red'}">
<h3>${badge(example.verdict)} <span>${sentenceOf({ ...example, kernel, loader })}</span></h3>
${anchors(site, cells)}
<dl class="why">${facts(site, program, example).map(([name, value]) => html`<div><dt>${name}</dt><dd>${value}</dd></div>`)}</dl>
${attempts(shown)}
${splatList(shown)}
${leftovers(shown)}
${externTable(shown)}
${join(verifierLogs(shown))}
${valueTable(shown)}
${join(loaderOutputs(shown))}
${join(consoleExcerpts(shown))}
${runs(site, shown)}
${shown.length < cells.length && html`<p class="soft">Shown for ${counted(shown.length, 'cell')} of ${cells.length}; the others ended alike, and the results have all of them.</p>`}
${repeat(site, example)}
</article>`;
}

/** Of how many cells of an answer everything is told. What made the run fail is told more often. */
function mostShown({ sparse }: Site, red: boolean): number {
  if (sparse) return red ? 3 : 1;
  return red ? 40 : 24;
}

/**
 * An element for each cell, whose id is the cell's address. Where there are very many cells, those that are not red and did not change are only named;
 * the script finds them.
 */
function anchors(site: Site, cells: readonly CellResult[]): Html {
  const byLoader = new Map<string, CellResult[]>();
  for (const cell of cells) byLoader.set(cell.loader, [...(byLoader.get(cell.loader) ?? []), cell]);
  const lists = [...byLoader].map(([loader, own]) => {
    const [first] = own;
    const end = first === undefined ? '' : anchorEnd(first);
    const name = site.results.loaders.length > 1 && html`<span class="soft">${loader}</span>`;
    const marked = site.sparse ? own.filter((cell) => matters(site, cell)) : own;
    const items = marked.map((cell) => anchor(site, cell, `${site.slugOf(cell.kernel)}${end}`));
    const named = site.sparse && own.filter((cell) => !matters(site, cell)).map((cell) => site.slugOf(cell.kernel));
    return html`<div class="cells">${name}${items.length > 0 && html`<ul aria-label="Kernels">${join(items)}</ul>`}${named !== false && named.length > 0 && html`<p data-cells="${end}">${named.join(' ')}</p>`}</div>`;
  });
  return join(lists);
}

/** Whether a cell is one of those that people look for. */
function matters(site: Site, cell: CellResult): boolean {
  return RED_VERDICTS.has(cell.verdict) || site.changeOf(cell) !== null;
}

function anchor(site: Site, cell: CellResult, id: string): Html {
  const change = site.changeOf(cell);
  const mark =
    change !== null &&
    html` <span class="change ${change}">${CHANGE_LOOKS[change].sign} ${CHANGE_LOOKS[change].word}</span>`;
  if (site.sparse) return html`<li${attribute('id', id)}>${cell.kernel}${mark}`;
  return html`<li${attribute('id', id)}><a href="#${id}">${cell.kernel}</a>${mark}`;
}

function facts(site: Site, program: ProgramResult, cell: CellResult): (readonly [string, Insert])[] {
  const { verdict, outcome, why, expected } = cell;
  const found: [string, Insert][] = [];
  const errno = outcome.errno === undefined ? '' : `, ${outcome.errno}`;
  const reached =
    outcome.class === 'ok'
      ? 'everything worked'
      : html`<code>${outcome.class}</code> in phase ${outcome.phase}${errno}`;
  const isBad = verdict !== 'pass' && verdict !== 'xfail';
  found.push(['Outcome', html`${reached}: ${lines(outcome.message)}`]);
  if (isBad && why !== outcome.message) found.push(['Verdict', lines(why)]);
  const line = decidingLine(cell, program);
  if (line !== null) found.push(['Line', line]);
  if (expected !== null) {
    found.push([
      isBad ? 'Expected' : 'As expected',
      html`${describeExpected(expected.outcome)}${lines(expected.reason)}`,
    ]);
    found.push(['Written in', html`<code>${expected.source}</code>`]);
    const known = site.results.differences?.known.find(({ id }) => id === cell.difference);
    if (known !== undefined) found.push(['Source', sourceList(known.source)]);
  } else found.push(['Expected', 'nothing says what should happen here']);
  return found;
}

function lines(text: string): Html {
  return join(
    text
      .trim()
      .split('\n')
      .map((line) => prose(line)),
    html`<br>`,
  );
}

/** What a YAML file expects, in its own words. */
function describeExpected(outcome: unknown): Html {
  if (typeof outcome === 'string') return html`<b>${outcome}</b>: `;
  if (typeof outcome !== 'object' || outcome === null) return html``;
  const parts = Object.entries(outcome).map(
    ([name, value]) => html`${name} <code>${typeof value === 'string' ? value : JSON.stringify(value)}</code>`,
  );
  return html`${join(parts, ', ')}: `;
}

function attempts(cells: readonly CellResult[]): Html | null {
  const several = cells.filter((cell) => cell.attempts !== undefined);
  if (several.length === 0) return null;
  const items = several.flatMap((cell) =>
    (cell.attempts ?? []).map(
      ({ verdict, class: kind, why, durationMs }, index) =>
        html`<li>${cell.kernel}, run ${index + 1}: ${badge(verdict)} <code>${kind}</code> <span class="soft">${Math.round(durationMs)} ms</span><br>${lines(why)}`,
    ),
  );
  return html`<h4>Run several times</h4><ul class="attempts">${join(items)}</ul>`;
}

function leftovers(cells: readonly CellResult[]): Html | null {
  const all = [...new Set(cells.flatMap((cell) => cell.leftovers))];
  if (all.length === 0) return null;
  return html`<h4>Left behind</h4><ul>${join(all.map((what) => html`<li>${what}`))}</ul>`;
}

/** What each cell ran on: the kernel with its digest, for how long, and where its evidence lies. */
function runs(site: Site, cells: readonly CellResult[]): Html {
  const rows = cells.map((cell) => {
    const kernel = site.results.kernels.find(({ name }) => name === cell.kernel);
    const { evidence } = cell;
    const path =
      evidence.verifierLog ??
      evidence.values ??
      evidence.resolution ??
      evidence.loaderLog ??
      evidence.cellConsole ??
      evidence.console;
    return html`
<tr><th scope="row"><a href="../${kernelPage(cell.kernel)}">${cell.kernel}</a><td>${cell.loader}<td>${kernel?.release ?? ''}<td><code title="${kernel?.sha256 ?? ''}">${kernel?.sha256.slice(0, 16) ?? ''}</code><td>${Math.round(cell.durationMs)} ms<td><code>${path ?? 'none'}</code>`;
  });
  return html`<details><summary>Kernels, digests and evidence</summary><div class="scroll" tabindex="0" role="region" aria-label="Kernels, digests and evidence"><table class="list"><thead><tr><th scope="col">Kernel<th scope="col">Loader<th scope="col">Release<th scope="col">vmlinuz (SHA256)<th scope="col">Took<th scope="col">Evidence, in the folder of the run</thead><tbody>${join(rows)}</table></div></details>`;
}

function repeat(site: Site, cell: CellResult): Html {
  const id = `repeat-${site.slugOf(cell.kernel)}${anchorEnd(cell)}`;
  return html`<div class="repeat"><span class="soft">Repeat it:</span> <code id="${id}">${repeatCommand(cell, site.results)}</code> <button type="button" class="copy" hidden data-copy="${id}">Copy<span class="hidden"> the command for ${lookOf(cell.verdict)} on ${cell.kernel}</span></button></div>`;
}
