import { resultsJson } from '../../results/results-json.ts';
import { renderBadge } from '../formats/badge.ts';
import { renderCompat } from '../formats/compat.ts';
import { renderChangesPage } from './changes-page.ts';
import { renderGridPage } from './grid-page.ts';
import { renderHistoryPage } from './history-page.ts';
import { kernelPages } from './kernel-page.ts';
import { renderKernelsPage } from './kernels-page.ts';
import { renderLoadersPage } from './loaders-page.ts';
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

/** Every file of a site, each made when it is asked for; first what takes longest to write. */
export function* siteFiles(site: Site, scripts: string): Generator<SiteFile> {
  yield { path: SITE_MARKER, parts: ['This folder was written by ksym-matrix, which replaces it as a whole.\n'] };
  yield {
    path: resultsFile(site),
    parts: resultsJson({ ...site.results, cells: cellsInOrder(site) }),
    gzip: site.compressed,
  };
  yield { path: 'assets/site.css', parts: [STYLES] };
  yield { path: 'assets/site.js', parts: [scripts] };
  for (const page of pages(site)) yield { path: page.path, parts: [renderPage(site, page)] };
  yield { path: compatFile(site), parts: [renderCompat(site.results)], gzip: site.compressed };
  yield { path: 'badge.json', parts: [renderBadge(site.results)] };
}

function* pages(site: Site): Generator<Page> {
  for (const { name } of site.results.loaders) yield renderGridPage(site, name);
  // The front page has to be there even if nothing was run.
  if (site.results.loaders.length === 0) yield { ...renderGridPage(site, ''), path: 'index.html' };
  const loaders = renderLoadersPage(site);
  if (loaders !== null) yield loaders;
  yield* programPages(site);
  yield renderKernelsPage(site);
  yield* kernelPages(site);
  yield renderChangesPage(site);
  yield renderHistoryPage(site);
}
