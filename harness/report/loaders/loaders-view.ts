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
import { gatherAlike } from '../alike.ts';
import { groupBy } from '../group-by.ts';
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
  /** Why they disagree: the unexplained last. */
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
  /** The kernels on which this loader stands apart: `none` where it does nowhere. */
  readonly apart: string;
  /** Whether there is no known difference behind some of that. */
  readonly unexplained: boolean;
}

/** What is behind disagreements. */
export interface Cause {
  /** Null for what nobody has explained. */
  readonly difference: KnownDifferenceResult | null;
  readonly count: number;
  readonly effects: readonly Effect[];
}

/** Disagreements that are alike. */
export interface Effect {
  readonly loaders: readonly string[];
  readonly programs: readonly string[];
  /** As {@link kernelRange} tells them. */
  readonly kernels: string;
  /** Class of what happens with these loaders, and with the one that they are held against. */
  readonly answer: string;
  readonly against: { readonly loader: string; readonly answer: string };
  /** The loader's own words, or the kernel's, in one of the cells; null if it works. */
  readonly says: string | null;
  readonly values: Disagreement['values'];
}

/** Results with {@link RunResults.differences}, as people compare loaders in them. */
export function viewLoaders(results: RunResults, differences: DifferencesResult): LoadersView {
  const kernels = gridOrder(results).kernels.map(({ name }) => name);
  const { compared, disagreements, known } = differences;
  const places = groupBy(results.cells, placeOf);
  const shared = new Set([...places].flatMap(([place, cells]) => (cells.length > 1 ? [place] : [])));
  return {
    id: results.id,
    loaders: results.loaders.map(({ name, version, unavailable = null }) => ({
      ...{ name, version, unavailable },
      compared: results.cells.filter((cell) => cell.loader === name && shared.has(placeOf(cell))).length,
      apart: disagreements.filter(({ causes }) => causes.some((cause) => cause.loaders.includes(name))).length,
    })),
    kernels,
    compared,
    disagreements: disagreements.length,
    unexplained: disagreements.filter(({ explained }) => !explained).length,
    rows: rowsOf(results, disagreements, kernels),
    causes: causesOf(results, disagreements, known, kernels),
  };
}

/** `verifier-rejected, where ksym-matrix works`. */
export function describeEffect({ answer, against, values }: Effect): string {
  if (values.length > 0 && answer === against.answer) return `${answer}, but with other values than ${against.loader}`;
  return `${answer}, where ${against.loader} ${against.answer === 'works' ? 'works' : `says ${against.answer}`}`;
}

/** A known difference in a line: `libbpf <0.4: An object with a kfunc cannot be opened.` */
export function titleOf({ loader, versions, what }: KnownDifferenceResult): string {
  return `${loader}${versions === null ? '' : ` ${versions}`}: ${what}`;
}

function placeOf({ kernel, program, variant }: Pick<CellResult, 'kernel' | 'program' | 'variant'>): string {
  return JSON.stringify([kernel, program, variant]);
}

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
    return {
      name,
      agrees: !cells.some((cell) => at.has(placeOf(cell))),
      cells: results.loaders.map(({ name: loader }) => {
        // Where the harness broke, or the loader could not be had, nothing was tried.
        const own = cells.filter((cell) => cell.loader === loader && cell.outcome.class !== 'infra');
        if (own.length === 0) return null;
        const causeOf = (cell: CellResult): Disagreement['causes'][number] | undefined =>
          at.get(placeOf(cell))?.causes.find(({ loaders }) => loaders.includes(loader));
        return {
          works: rangeOf(own.filter(({ outcome }) => outcome.class === 'ok')),
          apart: rangeOf(own.filter((cell) => causeOf(cell) !== undefined)),
          unexplained: own.some((cell) => causeOf(cell)?.difference === null),
        };
      }),
    };
  });
}

/** A loader that stands apart at one place. */
interface Apart {
  readonly cell: CellResult;
  readonly against: CellResult;
  readonly values: Disagreement['values'];
}

function causesOf(
  { cells }: RunResults,
  disagreements: readonly Disagreement[],
  known: readonly KnownDifferenceResult[],
  kernels: readonly string[],
): Cause[] {
  const at = groupBy(cells, placeOf);
  const apart = disagreements.flatMap((one) => {
    const place = at.get(placeOf(one)) ?? [];
    return one.causes.flatMap(({ difference, loaders }) =>
      loaders.flatMap((loader) => {
        const cell = place.find((candidate) => candidate.loader === loader);
        const against = referenceAt(place, loader, one);
        return cell === undefined || against === undefined
          ? []
          : [{ difference, apart: { cell, against, values: one.values } satisfies Apart }];
      }),
    );
  });
  const byCause = groupBy(apart, ({ difference }) => difference);
  const causes = [...byCause].map(([id, items]) => ({
    difference: known.find((one) => one.id === id) ?? null,
    count: items.length,
    effects: effectsOf(
      items.map((item) => item.apart),
      kernels,
    ),
  }));
  return [
    ...causes.filter(({ difference }) => difference !== null),
    ...causes.filter((one) => one.difference === null),
  ];
}

/** What a loader is held against: ours; for ours, and where ours was not run, one that does not stand apart. */
function referenceAt(place: readonly CellResult[], loader: string, { causes }: Disagreement): CellResult | undefined {
  const odd = new Set(causes.flatMap(({ loaders }) => loaders));
  return (
    place.find((cell) => cell.loader === OUR_LOADER && cell.loader !== loader) ??
    place.find((cell) => cell.loader !== loader && (loader === OUR_LOADER || !odd.has(cell.loader)))
  );
}

function effectsOf(items: readonly Apart[], kernels: readonly string[]): Effect[] {
  const groups = gatherAlike(
    items,
    ({ cell }) => cell,
    ({ cell, against, values }) =>
      JSON.stringify([cell.outcome.class, against.loader, against.outcome.class, values.map(({ name }) => name)]),
    () => true,
  );
  return groups.map(({ loaders, programs, kernels: own, example }) => ({
    loaders,
    programs,
    kernels: kernelRange(new Set(own), kernels),
    answer: answerOf(example.cell),
    against: { loader: example.against.loader, answer: answerOf(example.against) },
    says: example.cell.outcome.class === 'ok' ? null : example.cell.outcome.message,
    values: example.values,
  }));
}

/** `works`, or the class of the failure with its errno. */
function answerOf({ outcome }: CellResult): string {
  if (outcome.class === 'ok') return 'works';
  return outcome.errno === undefined ? outcome.class : `${outcome.class} (${outcome.errno})`;
}
