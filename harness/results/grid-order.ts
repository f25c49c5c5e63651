import { DEFAULT_VARIANT } from '../config/default-variant.ts';
import { oldestFirst } from './kernel-axes.ts';
import type { CellResult, KernelResult, RunResults } from './results.ts';

/** What of results says in which order their grid is. */
export type Ordered = Pick<RunResults, 'kernels' | 'loaders' | 'programs'>;

/** What of a cell says where it stands in the grid. */
export type Placed = Pick<CellResult, 'kernel' | 'loader' | 'program' | 'variant'>;

/** The order of a grid, which does not depend on the order of its cells. */
export interface GridOrder {
  /** Oldest first; those of one version by name. */
  readonly kernels: readonly KernelResult[];
  /** By loader, program and variant, the default variant first, the others by name; then by kernel. For `Array.sort`. */
  readonly compare: (left: Placed, right: Placed) => number;
}

/**
 * The order of the grid of one or several results: loaders and programs as in the first, then those that only the next has, and so on. What none of
 * them lists comes last, by name.
 */
export function gridOrder(...all: readonly Ordered[]): GridOrder {
  const kernels = new Map<string, KernelResult>();
  for (const kernel of all.flatMap((one) => one.kernels)) {
    if (!kernels.has(kernel.name)) kernels.set(kernel.name, kernel);
  }
  const sorted = oldestFirst([...kernels.values()].sort((left, right) => compareText(left.name, right.name)));
  const byLoader = comparator(all.flatMap((one) => one.loaders));
  const byProgram = comparator(all.flatMap((one) => one.programs));
  const byKernel = comparator(sorted);
  return {
    kernels: sorted,
    compare: (left, right) =>
      byLoader(left.loader, right.loader) ||
      byProgram(left.program, right.program) ||
      compareVariants(left.variant, right.variant) ||
      byKernel(left.kernel, right.kernel),
  };
}

/** Names by their code units, which is the same everywhere. */
export function compareText(left: string, right: string): number {
  if (left === right) return 0;
  return left < right ? -1 : 1;
}

/** What no name of a kernel, loader, program or variant tells apart from another is the same cell. */
export function cellKey({ kernel, loader, program, variant }: Placed): string {
  return JSON.stringify([kernel, loader, program, variant]);
}

function compareVariants(left: string, right: string): number {
  if (left === right) return 0;
  if (left === DEFAULT_VARIANT) return -1;
  return right === DEFAULT_VARIANT ? 1 : compareText(left, right);
}

function comparator(named: readonly { readonly name: string }[]): (left: string, right: string) => number {
  const ranks = new Map<string, number>();
  for (const { name } of named) if (!ranks.has(name)) ranks.set(name, ranks.size);
  const rank = (name: string): number => ranks.get(name) ?? ranks.size;
  return (left, right) => rank(left) - rank(right) || compareText(left, right);
}
