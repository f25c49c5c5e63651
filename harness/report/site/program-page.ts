import type { ProgramResult } from '../../results/results.ts';
import type { GridRow } from '../rows.ts';
import { answerArticle } from './answer-article.ts';
import { attribute, type Html, html, join } from './html.ts';
import { legend } from './legend.ts';
import { counted, type Page } from './page.ts';
import { groupProgramAnswers } from './program-answers.ts';
import { commitLink, prose } from './prose.ts';
import { rangeTable } from './ranges.ts';
import { anchorEnd, gridPage, kernelPage, programPage, type Site, shownCells } from './site.ts';
import { sourceListing } from './source-listing.ts';
import { gridCell } from './verdict-cell.ts';

/** The pages of all programs. */
export function* programPages(site: Site): Generator<Page> {
  const rows = new Map<string, GridRow[]>();
  for (const row of site.rows) {
    const own = rows.get(row.program);
    if (own === undefined) rows.set(row.program, [row]);
    else own.push(row);
  }
  for (const [index, program] of site.results.programs.entries()) {
    yield renderProgramPage(site, program, rows.get(program.name) ?? [], index);
  }
}

/** A program: its source, since when it works, and everything about each of its cells. */
function renderProgramPage(site: Site, program: ProgramResult, rows: readonly GridRow[], index: number): Page {
  const { name, title, about, source, objectSha256, compilerWarnings } = program;
  const cells = rows.flatMap((row) => [...row.cells.values()]);
  const answers = groupProgramAnswers(site, rows);
  return {
    path: programPage(name),
    title: name,
    about: title,
    section: 'grid',
    body: html`<p class="crumbs"><a href="../index.html">Grid</a> / Programs${neighbours(site, index)}</p>
<h1 class="mono">${name}</h1>
<p class="lead">${prose(title)}</p>
${
  about !== null &&
  join(
    about
      .trim()
      .split(/\n{2,}/)
      .map((paragraph) => html`<p>${prose(paragraph)}</p>`),
  )
}
<h2>Where it works</h2>
${smallGrid(site, rows)}
${rangeTable(site, name)}
${needs(program)}
<div class="beside"><section>
<h2>What happened <span class="soft">${counted(cells.length, 'cell')}, ${counted(answers.length, 'answer')}</span></h2>
${answers.length === 0 && html`<p class="empty">It was not run.</p>`}
${join(
  answers.map((answer) => answerArticle(site, program, answer)),
  '\n',
)}
</section><section class="source">
<h2>Source</h2>
<p class="soft"><code>${source}</code>${objectSha256 !== null && html`, compiled to an object with SHA256 <code class="digest">${objectSha256}</code>`}</p>
${compilerWarnings.trim() !== '' && html`<details open><summary>Warnings of the compiler</summary><pre class="log" tabindex="0">${compilerWarnings.trim()}</pre></details>`}
${sourceListing(program, cells)}
</section></div>`,
  };
}

/** Links to the programs before and behind it. */
function neighbours({ results }: Site, index: number): Html {
  const before = results.programs[index - 1];
  const behind = results.programs[index + 1];
  const link = (program: ProgramResult | undefined, text: string): Html | null =>
    program === undefined ? null : html`<a href="../${programPage(program.name)}" title="${program.name}">${text}</a>`;
  return html`<span class="turn">${link(before, '← Previous')} ${link(behind, 'Next →')}</span>`;
}

function needs({ needs: all }: ProgramResult): Html | null {
  if (all.length === 0) return null;
  const rows = all.map(
    ({ what, commit, since }) => html`
<tr><th scope="row">${what}<td>${since}<td>${commitLink(commit)}`,
  );
  return html`<h2>What it needs of the kernel</h2>
<div class="scroll"><table class="list"><thead><tr><th scope="col">What<th scope="col">Since<th scope="col">Commit</thead><tbody>${join(rows)}</table></div>`;
}

/** Beyond this many cells, the lists of the answers say the same in less. */
const MOST_CELLS = 1500;

/** The program's rows of the grid, of all loaders. */
function smallGrid(site: Site, rows: readonly GridRow[]): Html {
  const { kernels, results } = site;
  if (rows.length * kernels.length > MOST_CELLS) {
    return html`<p class="soft">It was run in ${counted(rows.length, 'row')} on ${counted(kernels.length, 'kernel')}: see the ${join(
      results.loaders.map(({ name }) => html`<a href="../${gridPage(site, name)}">grid of ${name}</a>`),
      ', ',
    )}.</p>`;
  }
  const words = kernels.length <= 14;
  const heads = kernels.map(
    ({ name, release }) => html`<th scope=col><a href="../${kernelPage(name)}" title="${release}">${name}</a>`,
  );
  const slugs = kernels.map(({ name }) => site.slugOf(name));
  const body = rows.map((row) => {
    const end = anchorEnd(row);
    const cells = kernels.map(({ name }, index) =>
      gridCell(site, row.cells.get(name), { href: `#${slugs[index]}${end}`, words: true }),
    );
    return html`
<tr><th scope=row><span>${row.variant}${results.loaders.length > 1 && html` <span class="soft">${row.loader}</span>`}</span>${join(cells)}`;
  });
  return html`${legend(site, shownCells(site, rows), { places: rows.length * kernels.length })}
<div class="box" role="region" aria-label="Variants down, kernels across" tabindex="0"><table class="grid small${words && ' words'}${kernels.some(({ name }) => name.length > 10) && ' turned'}"${attribute('aria-label', 'Variants and kernels')}>
<thead><tr><td class="corner">Variant${join(heads)}<tbody>${join(body)}</table></div>`;
}
