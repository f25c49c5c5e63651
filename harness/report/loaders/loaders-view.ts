import { OUR_LOADER } from '../../config/loader-entries.ts';
import { cellName } from '../../results/cell-name.ts';
import { gridOrder } from '../../results/grid-order.ts';
import type {
  CellResult,
  DifferencesResult,
  Disagreement,
  KnownDifferenceResult,
  RunResults,
} from '../../results/results.ts';
import { groupBy } from '../group-by.ts';
import { type Cause, causesOf, placeOf } from './causes.ts';
import { kernelRange } from './kernel-range.ts';

/** Results as people compare loaders in them. Plain data: `ksym-matrix compare --format json` writes it. */
export interface LoadersView {
  readonly id: string;
  readonly loaders: readonly ComparedLoader[];
  /** By name, oldest first. */
  readonly kernels: readonly string[];
  /** Programs on kernels that several loaders were tried on, and those of them on which they disagree. */
  readonly compared: number;
  readonly disagreements: number;
  readonly unexplained: number;
  readonly rows: readonly LoaderRow[];
  /** Why they disagree: the unexplained first. */
  readonly causes: readonly Cause[];
}

/** A loader, and how often it stands apart. */
export interface ComparedLoader {
  readonly name: string;
  readonly version: string;
  /** Why it could not be had; null if it could. */
  readonly unavailable: string | null;
  /** Programs on kernels that it was tried on beside others, and those of them on which it does not answer as they do, or not with the same values. */
  readonly compared: number;
  readonly apart: number;
  /** Known differences behind that, by id, the most frequent first; null for what nobody has explained. */
  readonly reasons: readonly { readonly difference: string | null; readonly count: number }[];
  /** Programs on kernels that others were tried on and this one was not, be it that the harness broke. */
  readonly untried: number;
  /** Programs on kernels that it loaded without anybody seeing what became of externs that ours resolved. */
  readonly unseen: number;
}

/** A program with a variant. */
export interface LoaderRow {
  readonly name: string;
  /** Whether its loaders agree on every kernel. */
  readonly agrees: boolean;
  /** In the order of the loaders; null for one that was not tried with it. */
  readonly cells: readonly (LoaderCell | null)[];
}

/** A program with one loader, on all kernels. */
export interface LoaderCell {
  /** The kernels on which it works. */
  readonly works: string;
  /** It works on no kernel, as it has to be: it is refused by loader or kernel on all of them. */
  readonly refused: boolean;
  /** The kernels on which this loader stands apart: `none` where it does nowhere. */
  readonly apart: string;
  /** Whether there is no known difference behind some of that. */
  readonly unexplained: boolean;
}

/** Results with {@link RunResults.differences}, as people compare loaders in them. */
export function viewLoaders(results: RunResults, differences: DifferencesResult): LoadersView {
  const kernels = gridOrder(results).kernels.map(({ name }) => name);
  const { compared, disagreements, known } = differences;
  const places = groupBy(results.cells, placeOf);
  const shared = [...places.values()].map((cells) => cells.filter(wasTried)).filter((cells) => cells.length > 1);
  return {
    id: results.id,
    loaders: results.loaders.map(({ name, version, unavailable = null }) => ({
      ...{ name, version, unavailable },
      compared: shared.filter((cells) => cells.some(({ loader }) => loader === name)).length,
      apart: disagreements.filter(({ causes }) => causes.some((cause) => cause.loaders.includes(name))).length,
      reasons: reasonsOf(name, disagreements),
      ...gapsOf(name, places),
    })),
    kernels,
    compared,
    disagreements: disagreements.length,
    unexplained: disagreements.filter(({ explained }) => !explained).length,
    rows: rowsOf(results, disagreements, kernels),
    causes: causesOf(results, disagreements, known, kernels),
  };
}

/** A known difference in a line: `libbpf <0.4: An object with a kfunc cannot be opened.` */
export function titleOf({ loader, versions, what }: KnownDifferenceResult): string {
  return `${loader}${versions === null ? '' : ` ${versions}`}: ${what}`;
}

function reasonsOf(loader: string, disagreements: readonly Disagreement[]): ComparedLoader['reasons'] {
  const own = disagreements.flatMap(({ causes }) => causes.filter(({ loaders }) => loaders.includes(loader)));
  return [...groupBy(own, ({ difference }) => difference)]
    .map(([difference, causes]) => ({ difference, count: causes.length }))
    .sort((left, right) => right.count - left.count);
}

/** What was not found out is no answer. */
function wasTried({ outcome, verdict }: CellResult): boolean {
  return outcome.class !== 'infra' && verdict !== 'flaky';
}

/** What a comparison does not know of a loader. */
function gapsOf(
  loader: string,
  places: ReadonlyMap<string, readonly CellResult[]>,
): Pick<ComparedLoader, 'untried' | 'unseen'> {
  let untried = 0;
  let unseen = 0;
  for (const cells of places.values()) {
    const tried = cells.filter(wasTried);
    const own = tried.find((cell) => cell.loader === loader);
    const ours = tried.find((cell) => cell.loader === OUR_LOADER)?.externs ?? [];
    if (own === undefined) untried += tried.length > 0 ? 1 : 0;
    else if (own.outcome.class === 'ok' && ours.some(({ name }) => !own.externs.some((one) => one.name === name)))
      unseen++;
  }
  return { untried, unseen };
}

/** By what is expected of the program, which what is known of a loader does not change. */
function mustFail(cells: readonly CellResult[]): boolean {
  const expected = cells.flatMap(({ difference, expected: own, loader }) =>
    own === null || (difference !== undefined && loader !== OUR_LOADER) ? [] : [own.outcome],
  );
  return expected.length > 0 && !expected.includes('works');
}

const REFUSALS: ReadonlySet<CellResult['outcome']['phase']> = new Set<CellResult['outcome']['phase']>([
  'resolve',
  'load',
]);

function rowsOf(
  results: RunResults,
  disagreements: readonly Disagreement[],
  kernels: readonly string[],
): readonly LoaderRow[] {
  const { compare } = gridOrder({ ...results, loaders: [] });
  const at = new Map(disagreements.map((one) => [placeOf(one), one]));
  const sorted = [...results.cells].sort((left, right) => compare({ ...left, loader: '' }, { ...right, loader: '' }));
  const rows = groupBy(sorted, ({ program, variant }) => cellName(program, variant));
  return [...rows].map(([name, cells]) => {
    const tried = kernels.filter((kernel) => cells.some((cell) => cell.kernel === kernel));
    const rangeOf = (own: readonly CellResult[]): string =>
      kernelRange(new Set(own.map(({ kernel }) => kernel)), tried);
    const isToFail = mustFail(cells);
    return {
      name,
      agrees: !cells.some((cell) => at.has(placeOf(cell))),
      cells: results.loaders.map(({ name: loader }) => {
        // Where the harness broke, or the loader could not be had, nothing was tried.
        const own = cells.filter((cell) => cell.loader === loader && wasTried(cell));
        if (own.length === 0) return null;
        const causeOf = (cell: CellResult): Disagreement['causes'][number] | undefined =>
          at.get(placeOf(cell))?.causes.find(({ loaders }) => loaders.includes(loader));
        return {
          works: rangeOf(own.filter(({ outcome }) => outcome.class === 'ok')),
          refused: isToFail && own.every(({ outcome }) => REFUSALS.has(outcome.phase)),
          apart: rangeOf(own.filter((cell) => causeOf(cell) !== undefined)),
          unexplained: own.some((cell) => causeOf(cell)?.difference === null),
        };
      }),
    };
  });
}
