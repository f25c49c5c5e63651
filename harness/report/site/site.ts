import type { ChangeKind, Comparison } from '../../results/compare.ts';
import { cellKey, gridOrder } from '../../results/grid-order.ts';
import type { HistoryRun } from '../../results/history.ts';
import type { CellResult, KernelResult, RunResults } from '../../results/results.ts';
import { countVerdicts, RED_VERDICTS, type Verdict } from '../../results/verdicts.ts';
import { cellAnchor, kernelPage, programPage, slug } from '../cell-link.ts';
import { type GridRow, gridRows } from '../rows.ts';

/** A run as its pages need it, worked out once. */
export interface Site {
  readonly results: RunResults;
  readonly comparison: Comparison | null;
  /** Newest first. */
  readonly history: readonly HistoryRun[];
  /** Where it will be published, without a slash at the end; null if that is not known. */
  readonly baseUrl: string | null;
  /** Oldest first: the columns of the grid. */
  readonly kernels: readonly KernelResult[];
  /** Loader by loader, programs in the order of the results, the variant `default` first and then by name. */
  readonly rows: readonly GridRow[];
  /** The classes that occur, `ok` left out; their place here is what pages write in their stead. */
  readonly classes: readonly string[];
  /** Whether there are so many cells that only those that matter have everything of theirs on the pages: links for all would be most of the site. */
  readonly sparse: boolean;
  /** Whether there are so many cells that the JSON beside the pages would be heavier than all of them. */
  readonly compressed: boolean;
  /** A kernel's name in addresses. */
  slugOf(kernel: string): string;
  /** How many of a kernel's cells have each verdict. */
  totalsOf(kernel: string): Readonly<Record<Verdict, number>>;
  /** What became of a cell since the base run; null if nothing, or if there is none. */
  changeOf(cell: CellResult): ChangeKind | null;
}

/** Options of {@link modelSite}. */
export interface SiteOptions {
  /** This run held against another; without it the site says that there is none. */
  readonly comparison?: Comparison;
  /** Past runs, newest first. */
  readonly history?: readonly HistoryRun[];
  /** Where the site will be published. */
  readonly baseUrl?: string;
  /** Up to how many cells each has all that is known of it, and a link wherever it is shown; default 20,000. */
  readonly fullUpTo?: number;
}

/** Works out what all pages of a site have in common. */
export function modelSite(
  results: RunResults,
  { comparison, history = [], baseUrl, fullUpTo = 20_000 }: SiteOptions,
): Site {
  const changes = new Map<string, ChangeKind>();
  for (const change of comparison?.changes ?? []) changes.set(cellKey(change), change.kind);
  const byKernel = new Map<string, CellResult[]>();
  for (const cell of results.cells) {
    const own = byKernel.get(cell.kernel);
    if (own === undefined) byKernel.set(cell.kernel, [cell]);
    else own.push(cell);
  }
  const classes = new Set(results.cells.map(({ outcome }) => outcome.class));
  classes.delete('ok');
  const order = gridOrder(results);
  // There are few kernels, and many cells that need their names.
  const slugs = new Map(results.kernels.map(({ name }) => [name, slug(name)]));
  return {
    results,
    comparison: comparison ?? null,
    history,
    baseUrl: baseUrl?.replace(/\/+$/, '') ?? null,
    kernels: order.kernels,
    rows: gridRows(results).sort((left, right) => order.compare({ ...left, kernel: '' }, { ...right, kernel: '' })),
    classes: [...classes].sort(),
    sparse: results.cells.length > fullUpTo,
    compressed: results.cells.length > MOST_CELLS_UNCOMPRESSED,
    slugOf: (kernel) => slugs.get(kernel) ?? slug(kernel),
    totalsOf: (kernel) => countVerdicts(byKernel.get(kernel) ?? []),
    changeOf: (cell) => (changes.size === 0 ? null : (changes.get(cellKey(cell)) ?? null)),
  };
}

/** All cells in the order of the grid, whatever their order in the results. */
export function cellsInOrder({
  results,
  rows,
  kernels,
}: Pick<Site, 'results' | 'rows' | 'kernels'>): readonly CellResult[] {
  const cells = shownCells({ kernels }, rows);
  // A cell twice, or of a kernel that is not listed, has no place in a grid; it is not to be lost for that.
  return cells.length === results.cells.length ? cells : results.cells;
}

/** The cells of rows that have a column: results may tell of a kernel that they do not list. */
export function shownCells({ kernels }: Pick<Site, 'kernels'>, rows: readonly GridRow[]): readonly CellResult[] {
  return rows.flatMap((row) => kernels.flatMap(({ name }) => row.cells.get(name) ?? []));
}

/** Where the results themselves lie, relative to the root of the site. */
export function resultsFile({ compressed }: Pick<Site, 'compressed'>): string {
  return compressed ? 'results.json.gz' : 'results.json';
}

/** Where the ranges lie as JSON, relative to the root of the site. */
export function compatFile({ compressed }: Pick<Site, 'compressed'>): string {
  return compressed ? 'compat.json.gz' : 'compat.json';
}

/** Page of the grid of a loader, relative to the root of the site: the first one has the front page. */
export function gridPage({ results }: Pick<Site, 'results'>, loader: string): string {
  return loader === results.loaders[0]?.name ? 'index.html' : `loader-${slug(loader)}.html`;
}

/** Whether a row has a cell that makes the run fail. */
export function isRed({ cells }: GridRow): boolean {
  for (const { verdict } of cells.values()) if (RED_VERDICTS.has(verdict)) return true;
  return false;
}

/** What comes behind the kernel in the anchors of a row's cells, so that it is worked out once. */
export function anchorEnd({ loader, variant }: Pick<GridRow, 'loader' | 'variant'>): string {
  return cellAnchor({ kernel: '', loader, variant, program: '' });
}

export { kernelPage, programPage };

const MOST_CELLS_UNCOMPRESSED = 4000;
