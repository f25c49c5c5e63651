import { cellKey } from '../../results/grid-order.ts';
import type { CellResult, OutcomeRange, ProgramRanges, RunResults } from '../../results/results.ts';
import { toJson } from '../../results/write.ts';
import { COMPAT_SCHEMA_VERSION, type Compat, type CompatFinding, type CompatRange } from './compat-schema.ts';
import { groupBy } from './group-by.ts';
import { inOrder } from './order.ts';

/** compat.json of a run ({@link compatOf}); ends with a newline. */
export function renderCompat(results: RunResults): string {
  return toJson(compatOf(results));
}

/** Since and until when each program works, for programs to read: what the results' ranges say, with what is known of the kernels between. */
export function compatOf(results: RunResults): Compat {
  const { id, startedAt, tool, origin, complete, host, ranges, kernels, programs, cells } = inOrder(results);
  const axisOf = new Map(ranges.axes.flatMap((axis) => axis.kernels.map((kernel) => [kernel, axis.name])));
  const reasons = reasonsOf(cells);
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
          const loaders = own.map((row) => [row.loader, supportOf(row, reasons)]);
          return [variant, { loaders: Object.fromEntries(loaders) }];
        });
        return [name, { title, about, source, needs: [...needs], variants: Object.fromEntries(entries) }];
      }),
    ),
  };
}

type Reasons = ReadonlyMap<string, string>;

function supportOf(
  row: ProgramRanges,
  reasons: Reasons,
): { axes: Record<string, CompatRange[]>; apart: Record<string, CompatFinding> } {
  const onAxes = groupBy(
    row.ranges.flatMap((range) => (range.axis === null ? [] : [{ ...range, axis: range.axis }])),
    ({ axis }) => axis,
  );
  const apart = row.ranges.filter(({ axis }) => axis === null);
  return {
    axes: Object.fromEntries(
      [...onAxes].map(([axis, ranges]) => [axis, ranges.map((range) => toRange(row, range, ranges, reasons))]),
    ),
    apart: Object.fromEntries(apart.map((range) => [range.since, toFinding(row, range, reasons)])),
  };
}

function toRange(row: ProgramRanges, range: OutcomeRange, all: readonly OutcomeRange[], reasons: Reasons): CompatRange {
  const index = all.indexOf(range);
  const differs = (other: OutcomeRange): boolean => other.outcome !== 'unknown' && !isAlike(other, range);
  // Of kernels of which nothing is known it is not known either whether they end otherwise.
  const known = range.outcome !== 'unknown';
  return {
    ...toFinding(row, range, reasons),
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

function toFinding(row: ProgramRanges, range: OutcomeRange, reasons: Reasons): CompatFinding {
  const notes = range.kernels.flatMap((kernel) => reasons.get(cellKey({ ...row, kernel })) ?? []);
  const works = { works: true, fails: false, unknown: null }[range.outcome];
  return { works, class: range.class, phase: range.phase, cause: range.cause, notes: [...new Set(notes)] };
}

/** What an expectation says is an explanation only where it was met. */
function reasonsOf(cells: readonly CellResult[]): Reasons {
  const met = cells.filter(({ verdict }) => verdict === 'pass' || verdict === 'xfail');
  return new Map(met.flatMap((cell) => (cell.expected === null ? [] : [[cellKey(cell), cell.expected.reason]])));
}
