import type { CellResult, RunResults } from './results.ts';

/**
 * What became of a cell between two runs:
 * - `regressed`: it was not red and is; `fixed`: it was red and is not
 * - `flaky`: it ended differently when it was run again, in the newer run
 * - `changed`: neither, but its verdict, class or phase is another
 * - `new`: only in the newer run; `vanished`: only in the older one
 * A cell that the newer run could not try (`infra`) where the older one could is `regressed` too, because nothing is known of it any more.
 */
export const CHANGE_KINDS = ['regressed', 'flaky', 'vanished', 'changed', 'new', 'fixed'] as const;

export type ChangeKind = (typeof CHANGE_KINDS)[number];

/** A cell that differs between two runs. */
export interface CellChange {
  readonly kind: ChangeKind;
  readonly kernel: string;
  readonly loader: string;
  readonly program: string;
  readonly variant: string;
  /** Null for `new`. */
  readonly base: CellResult | null;
  /** Null for `vanished`. */
  readonly head: CellResult | null;
}

/** Two runs held against each other. */
export interface Comparison {
  readonly base: Pick<RunResults, 'id' | 'startedAt' | 'origin' | 'totals'>;
  readonly head: Pick<RunResults, 'id' | 'startedAt' | 'origin' | 'totals'>;
  /** How many there are of each kind, all kinds named. */
  readonly counts: Readonly<Record<ChangeKind, number>>;
  readonly unchanged: number;
  /** In the order of {@link CHANGE_KINDS}, then of the grid. */
  readonly changes: readonly CellChange[];
  /** Kernels that both runs have by name but not by version, image or facts: what may explain a change. */
  readonly kernels: readonly {
    readonly name: string;
    readonly base: string;
    readonly head: string;
  }[];
}
