import { renderBadge } from '../formats/badge.ts';
import { renderCompat } from '../formats/compat.ts';
import { renderChangesPage } from './changes-page.ts';
import { renderGridPage } from './grid-page.ts';
import { renderHistoryPage } from './history-page.ts';
import { kernelPages } from './kernel-page.ts';
import { renderKernelsPage } from './kernels-page.ts';
import { type Page, renderPage } from './page.ts';
import { programPages } from './program-page.ts';
import { cellsInOrder, compatFile, resultsFile, type Site } from './site.ts';
import { STYLES } from './styles.ts';

/** Lies in every site, and says that the folder may be replaced. */
export const SITE_MARKER = '.ksym-matrix-site';

/** A file of the site. */
export interface SiteFile {
  /** Relative to the root of the site, with slashes. */
  readonly path: string;
  readonly parts: readonly string[] | Iterable<string>;
  readonly gzip?: boolean;
}

/** Every file of a site, each made when it is asked for. */
export function* siteFiles(site: Site, scripts: string): Generator<SiteFile> {
  yield { path: SITE_MARKER, parts: ['This folder was written by ksym-matrix, which replaces it as a whole.\n'] };
  yield { path: 'assets/site.css', parts: [STYLES] };
  yield { path: 'assets/site.js', parts: [scripts] };
  for (const page of pages(site)) yield { path: page.path, parts: [renderPage(site, page)] };
  yield { path: compatFile(site), parts: [renderCompat(site.results)], gzip: site.sparse };
  yield { path: 'badge.json', parts: [renderBadge(site.results)] };
  yield { path: resultsFile(site), parts: compactJson(site), gzip: site.sparse };
}

function* pages(site: Site): Generator<Page> {
  for (const { name } of site.results.loaders) yield renderGridPage(site, name);
  // The front page has to be there even if nothing was run.
  if (site.results.loaders.length === 0) yield { ...renderGridPage(site, ''), path: 'index.html' };
  yield* programPages(site);
  yield renderKernelsPage(site);
  yield* kernelPages(site);
  yield renderChangesPage(site);
  yield renderHistoryPage(site);
}

/** The results without white space, in parts: as one text, those of a very large run would be longer than a string may be. */
function* compactJson(site: Site): Generator<string> {
  const { cells: _, ...others } = site.results;
  const text = JSON.stringify({ ...others, cells: [] });
  yield text.slice(0, -2);
  const cells = cellsInOrder(site);
  for (let start = 0; start < cells.length; start += CELLS_OF_PART) {
    const part = JSON.stringify(cells.slice(start, start + CELLS_OF_PART));
    yield `${start === 0 ? '' : ','}${part.slice(1, -1)}`;
  }
  yield ']}\n';
}

/** A cell is a few kilobytes, or 64 KiB and more with a long log. */
const CELLS_OF_PART = 64;
