import { cellKey, gridOrder } from './grid-order.ts';
import type { CellResult, KernelResult, RunResults } from './results.ts';
import { transitionOf } from './transitions.ts';

/**
 * What became of a cell between two runs:
 * - `regressed`: it was not red and is; or the older run could try it and the newer one could not (`infra`), so that nothing is known of it any more
 * - `flaky`: it ended differently when it was run again, in the newer run and not in the older one
 * - `vanished`: only in the older run, be it that the newer one was interrupted, or that its kernel, program or loader is gone
 * - `changed`: neither better nor worse, but its verdict, class, phase or errno is another
 * - `new`: only in the newer run, whatever its verdict
 * - `fixed`: it was red and is not
 *
 * Every pair of verdicts is in the table of transitions.ts.
 */
export const CHANGE_KINDS = ['regressed', 'flaky', 'vanished', 'changed', 'new', 'fixed'] as const;

/** One of {@link CHANGE_KINDS}. */
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

/** Holds two runs against each other. Cells are the same if kernel, loader, program and variant have the same names, kernels if they have. */
export function compareResults(base: RunResults, head: RunResults): Comparison {
  const order = gridOrder(head, base);
  const before = byKey(base.cells);
  const after = byKey(head.cells);
  const found: Record<ChangeKind, CellChange[]> = {
    regressed: [],
    flaky: [],
    vanished: [],
    changed: [],
    new: [],
    fixed: [],
  };
  let unchanged = 0;
  for (const [key, cell] of after) {
    const old = before.get(key);
    const kind = old === undefined ? 'new' : transitionOf(old, cell);
    if (kind === 'same') unchanged++;
    else found[kind].push(toChange(kind, old ?? null, cell, cell));
  }
  for (const [key, cell] of before) {
    if (!after.has(key)) found.vanished.push(toChange('vanished', cell, null, cell));
  }
  return {
    base: describeRun(base),
    head: describeRun(head),
    counts: {
      regressed: found.regressed.length,
      flaky: found.flaky.length,
      vanished: found.vanished.length,
      changed: found.changed.length,
      new: found.new.length,
      fixed: found.fixed.length,
    },
    unchanged,
    changes: CHANGE_KINDS.flatMap((kind) => found[kind].sort(order.compare)),
    kernels: order.kernels.flatMap(({ name }) => {
      const [old, now] = [base, head].map((run) => run.kernels.find((kernel) => kernel.name === name));
      return old === undefined || now === undefined ? [] : differenceOf(old, now);
    }),
  };
}

/** Results that name a cell twice are no run of ours; the first is as good as the second. */
function byKey(cells: readonly CellResult[]): Map<string, CellResult> {
  const found = new Map<string, CellResult>();
  for (const cell of cells) {
    const key = cellKey(cell);
    if (!found.has(key)) found.set(key, cell);
  }
  return found;
}

function toChange(kind: ChangeKind, base: CellResult | null, head: CellResult | null, cell: CellResult): CellChange {
  const { kernel, loader, program, variant } = cell;
  return { kind, kernel, loader, program, variant, base, head };
}

function describeRun({ id, startedAt, origin, totals }: RunResults): Comparison['base'] {
  return { id, startedAt, origin, totals };
}

/** Facts that are told of a kernel whose version and image are the same. */
const MOST_FACTS = 3;

/** Digits of a SHA256 that tell two images apart for a person. */
const SHOWN_DIGITS = 12;

/** In words: the versions; if they are the same, the images; if those are, the facts that differ. */
function differenceOf(base: KernelResult, head: KernelResult): Comparison['kernels'] {
  const { name } = base;
  const told = (kernel: KernelResult): string => `${kernel.version} (${kernel.release})`;
  if (told(base) !== told(head)) return [{ name, base: told(base), head: told(head) }];
  if (base.sha256 !== head.sha256) {
    const image = ({ version, sha256 }: KernelResult): string => `${version}, image ${sha256.slice(0, SHOWN_DIGITS)}`;
    return [{ name, base: image(base), head: image(head) }];
  }
  const differing = [...new Set([...Object.keys(base.facts), ...Object.keys(head.facts)])]
    .filter((fact) => base.facts[fact] !== head.facts[fact])
    .sort();
  if (differing.length === 0) return [];
  const facts = ({ facts }: KernelResult): string => {
    if (Object.keys(facts).length === 0) return 'no facts, because it did not boot';
    const shown = differing.slice(0, MOST_FACTS).map((fact) => `${fact} ${String(facts[fact] ?? 'unknown')}`);
    const more = differing.length - shown.length;
    return `${shown.join(', ')}${more === 0 ? '' : ` and ${more} more`}`;
  };
  return [{ name, base: facts(base), head: facts(head) }];
}
