import { isEndOfLife } from '../lifecycle.ts';
import { html, join } from './html.ts';
import { kernelTotals } from './kernel-page.ts';
import { counted, type Page } from './page.ts';
import { kernelPage, type Site } from './site.ts';

/** The list of all kernels, oldest first. */
export function renderKernelsPage(site: Site): Page {
  const rows = site.kernels.map((kernel) => {
    const { name, release, version, source } = kernel;
    const ended = isEndOfLife(kernel, site.results.startedAt) === true;
    return html`
<tr><th scope="row"><a href="${kernelPage(name)}">${name}</a>${ended && html` <span class="soft">end of life</span>`}<td><code>${release}</code><td>${version}<td>${source}<td>${kernelTotals(site, name)}`;
  });
  return {
    path: 'kernels.html',
    title: 'Kernels',
    about: `${counted(site.kernels.length, 'kernel')}, oldest first`,
    section: 'kernels',
    body: html`<h1>Kernels</h1>
<p class="lead">${counted(site.kernels.length, 'kernel')}, oldest first</p>
<div class="scroll tall" tabindex="0" role="region" aria-label="Kernels"><table class="list"><thead><tr><th scope="col">Kernel<th scope="col">Release<th scope="col">Version<th scope="col">Source<th scope="col">Cells</thead><tbody>${join(rows)}</table></div>`,
  };
}
