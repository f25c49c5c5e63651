import { CAUSE_WORDS } from './cause-words.ts';
import { type DatedKernel, groupByAxis, type KernelAxis } from './kernel-axes.ts';
import type { CellResult, OutcomeRange, RangesResult } from './results.ts';

type Finding = Pick<OutcomeRange, 'outcome' | 'class' | 'phase' | 'cause'>;

/**
 * Derives ranges from the cells of a run.
 * @param kernels those that were run, and those of the matrix that were not
 */
export function deriveRanges(
  kernels: readonly DatedKernel[],
  cells: readonly Pick<CellResult, 'kernel' | 'loader' | 'program' | 'variant' | 'outcome' | 'verdict'>[],
): RangesResult {
  const { axes, apart } = groupByAxis(kernels);
  const rows = new Map<string, { program: string; variant: string; loader: string; findings: Map<string, Finding> }>();
  for (const cell of cells) {
    const { program, variant, loader } = cell;
    const key = JSON.stringify([program, variant, loader]);
    const row = rows.get(key) ?? { program, variant, loader, findings: new Map<string, Finding>() };
    rows.set(key, row);
    row.findings.set(cell.kernel, findingOf(cell));
  }
  // Variants with boot parameters are run after all others, and yet belong to their program.
  const order = [...new Set(cells.map(({ program }) => program))];
  const sorted = [...rows.values()].sort((left, right) => order.indexOf(left.program) - order.indexOf(right.program));
  return {
    axes: axes.map(({ name, kernels: members }) => ({ name, kernels: members.map((kernel) => kernel.name) })),
    apart: apart.map(({ name }) => name),
    programs: sorted.map(({ program, variant, loader, findings }) => ({
      program,
      variant,
      loader,
      ranges: [
        ...axes.flatMap((axis) => rangesOn(axis, findings)),
        ...apart.map(({ name }) => toRange(null, name, findings.get(name) ?? NOT_RUN)),
      ],
    })),
  };
}

/** Whether a range is of kernels that were not looked at, rather than of ones where that led to nothing. */
export function wasNotRun({ cause }: OutcomeRange): boolean {
  return cause === NOT_RUN.cause;
}

const NOT_RUN: Finding = { outcome: 'unknown', class: null, phase: null, cause: 'not run' };

function findingOf({ outcome, verdict }: Pick<CellResult, 'outcome' | 'verdict'>): Finding {
  if (verdict === 'flaky') return { outcome: 'unknown', class: null, phase: null, cause: 'flaky' };
  const { class: kind, phase } = outcome;
  if (kind === 'ok') return { outcome: 'works', class: null, phase: null, cause: null };
  if (kind === 'infra') return { outcome: 'unknown', class: null, phase: null, cause: CAUSE_WORDS.infra };
  return { outcome: 'fails', class: kind, phase, cause: CAUSE_WORDS[kind] };
}

function rangesOn(axis: KernelAxis, findings: ReadonlyMap<string, Finding>): OutcomeRange[] {
  const ranges: OutcomeRange[] = [];
  for (const { name } of axis.kernels) {
    const next = toRange(axis.name, name, findings.get(name) ?? NOT_RUN);
    const last = ranges.at(-1);
    if (last !== undefined && isAlike(last, next)) {
      ranges[ranges.length - 1] = { ...last, until: name, kernels: [...last.kernels, name] };
    } else ranges.push(next);
  }
  return ranges;
}

function toRange(axis: string | null, kernel: string, finding: Finding): OutcomeRange {
  return { axis, since: kernel, until: kernel, kernels: [kernel], ...finding };
}

function isAlike(left: Finding, right: Finding): boolean {
  return (
    left.outcome === right.outcome &&
    left.class === right.class &&
    left.phase === right.phase &&
    left.cause === right.cause
  );
}
