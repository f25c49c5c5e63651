import type { CellResult, OutcomeRange, ProgramRanges, RunResults } from '../../results/results.ts';
import { toJson } from '../../results/write.ts';
import { groupBy } from '../group-by.ts';
import { gridRows } from '../rows.ts';
import { COMPAT_SCHEMA_VERSION, type Compat, type CompatFinding, type CompatRange } from './compat-schema.ts';
import { inOrder } from './order.ts';

/** compat.json of a run ({@link compatOf}); ends with a newline. */
export function renderCompat(results: RunResults): string {
  return toJson(compatOf(results));
}

/** Since and until when each program works, for programs to read: what the results' ranges say, with what is known of the kernels between. */
export function compatOf(results: RunResults): Compat {
  // Nothing here goes by the order of the cells, and to sort them is most of the work.
  const { id, startedAt, tool, origin, complete, host, ranges, kernels, programs } = inOrder({ ...results, cells: [] });
  const axisOf = new Map(ranges.axes.flatMap((axis) => axis.kernels.map((kernel) => [kernel, axis.name])));
  const cellsOf = cellsOfRows(results);
  const rows = groupBy(ranges.programs, ({ program }) => program);
  return {
    schemaVersion: COMPAT_SCHEMA_VERSION,
    run: { id, startedAt, tool, origin, accelerator: host.accelerator, complete },
    axes: Object.fromEntries(ranges.axes.map((axis) => [axis.name, [...axis.kernels]])),
    kernels: Object.fromEntries(
      kernels.map(({ name, release, version, source, sha256 }) => [
        name,
        { release, version, source, sha256, axis: axisOf.get(name) ?? null },
      ]),
    ),
    programs: Object.fromEntries(
      programs.map(({ name, title, about, source, needs }) => {
        const variants = groupBy(rows.get(name) ?? [], ({ variant }) => variant);
        const entries = [...variants].map(([variant, own]) => {
          const loaders = own.map((row) => [row.loader, supportOf(row, cellsOf)]);
          return [variant, { loaders: Object.fromEntries(loaders) }];
        });
        return [name, { title, about, source, needs: [...needs], variants: Object.fromEntries(entries) }];
      }),
    ),
  };
}

/** By row and kernel. */
type RowCells = ReadonlyMap<string, ReadonlyMap<string, CellResult>>;

function supportOf(
  row: ProgramRanges,
  cellsOf: RowCells,
): { axes: Record<string, CompatRange[]>; apart: Record<string, CompatFinding> } {
  const onAxes = groupBy(
    row.ranges.flatMap((range) => (range.axis === null ? [] : [{ ...range, axis: range.axis }])),
    ({ axis }) => axis,
  );
  const apart = row.ranges.filter(({ axis }) => axis === null);
  return {
    axes: Object.fromEntries(
      [...onAxes].map(([axis, ranges]) => [axis, ranges.map((range) => toRange(row, range, ranges, cellsOf))]),
    ),
    apart: Object.fromEntries(apart.map((range) => [range.since, toFinding(row, range, cellsOf)])),
  };
}

function toRange(
  row: ProgramRanges,
  range: OutcomeRange,
  all: readonly OutcomeRange[],
  cellsOf: RowCells,
): CompatRange {
  const index = all.indexOf(range);
  const differs = (other: OutcomeRange): boolean => other.outcome !== 'unknown' && !isAlike(other, range);
  // Of kernels of which nothing is known it is not known either whether they end otherwise.
  const known = range.outcome !== 'unknown';
  return {
    ...toFinding(row, range, cellsOf),
    since: range.since,
    until: range.until,
    after: known ? (all.slice(0, index).findLast(differs)?.until ?? null) : null,
    before: known ? (all.slice(index + 1).find(differs)?.since ?? null) : null,
    kernels: [...range.kernels],
  };
}

function isAlike(left: OutcomeRange, right: OutcomeRange): boolean {
  return left.outcome === right.outcome && left.class === right.class && left.phase === right.phase;
}

function toFinding(row: ProgramRanges, range: OutcomeRange, cellsOf: RowCells): CompatFinding {
  const cells = cellsOf.get(rowKey(row));
  const notes = range.kernels.flatMap((kernel) => reasonOf(cells?.get(kernel)));
  const works = { works: true, fails: false, unknown: null }[range.outcome];
  return { works, class: range.class, phase: range.phase, cause: range.cause, notes: [...new Set(notes)] };
}

function cellsOfRows(results: RunResults): RowCells {
  return new Map(gridRows(results).map((row) => [rowKey(row), row.cells]));
}

function rowKey({ loader, program, variant }: Pick<CellResult, 'loader' | 'program' | 'variant'>): string {
  return JSON.stringify([loader, program, variant]);
}

/** What an expectation says is an explanation only where it was met. */
function reasonOf(cell: CellResult | undefined): readonly string[] {
  const isMet = cell?.verdict === 'pass' || cell?.verdict === 'xfail';
  return isMet && cell.expected !== null ? [cell.expected.reason] : [];
}
