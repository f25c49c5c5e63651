import { CAUSE_WORDS } from './cause-words.ts';
import { type DatedKernel, groupByAxis, type KernelAxis } from './kernel-axes.ts';
import type { CellResult } from './results.ts';

/** Since when, and until when, each program works: part of a run's results. */
export interface RangesResult {
  readonly axes: readonly AxisResult[];
  /** Names of kernels that lie on no axis. */
  readonly apart: readonly string[];
  /** In the order of the matrix, variants beside each other. */
  readonly programs: readonly ProgramRanges[];
}

/** Kernels of one source and flavour by name, oldest first. */
export interface AxisResult {
  readonly name: string;
  readonly kernels: readonly string[];
}

export interface ProgramRanges {
  readonly program: string;
  readonly variant: string;
  /** Axis by axis, oldest first, without a gap; then one for each kernel that is on none. */
  readonly ranges: readonly OutcomeRange[];
}

/** Neighbours on an axis on which a program ended alike. What lies between two kernels that were looked at is not known. */
export interface OutcomeRange {
  /** Name of the axis; null for a kernel by itself. */
  readonly axis: string | null;
  /** The oldest kernel, by name. */
  readonly since: string;
  /** The newest one; at the end of its axis nobody has looked further. */
  readonly until: string;
  readonly kernels: readonly string[];
  /** What happened, whether it was expected or not; `unknown`: not run, flaky, or the harness broke. */
  readonly outcome: 'works' | 'fails' | 'unknown';
  /** Class and phase of the failure; null if there is none. */
  readonly class: string | null;
  readonly phase: string | null;
  /** A few words on why; null if it works. */
  readonly cause: string | null;
}

type Finding = Pick<OutcomeRange, 'outcome' | 'class' | 'phase' | 'cause'>;

/**
 * Derives ranges from the cells of a run.
 * @param kernels those that were run, and those of the matrix that were not
 */
export function deriveRanges(
  kernels: readonly DatedKernel[],
  cells: readonly Pick<CellResult, 'kernel' | 'program' | 'variant' | 'outcome' | 'verdict'>[],
): RangesResult {
  const { axes, apart } = groupByAxis(kernels);
  const rows = new Map<string, { program: string; variant: string; findings: Map<string, Finding> }>();
  for (const cell of cells) {
    const { program, variant } = cell;
    const key = JSON.stringify([program, variant]);
    const row = rows.get(key) ?? { program, variant, findings: new Map<string, Finding>() };
    rows.set(key, row);
    row.findings.set(cell.kernel, findingOf(cell));
  }
  // Variants with boot parameters are run after all others, and yet belong to their program.
  const order = [...new Set(cells.map(({ program }) => program))];
  const sorted = [...rows.values()].sort((left, right) => order.indexOf(left.program) - order.indexOf(right.program));
  return {
    axes: axes.map(({ name, kernels: members }) => ({ name, kernels: members.map((kernel) => kernel.name) })),
    apart: apart.map(({ name }) => name),
    programs: sorted.map(({ program, variant, findings }) => ({
      program,
      variant,
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
