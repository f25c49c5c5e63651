import { type DatedKernel, groupByAxis } from './kernel-axes.ts';
import { mergeOrders } from './merge-orders.ts';
import { deriveRanges } from './ranges.ts';
import type { CellResult, KernelResult, RangesResult } from './results.ts';

/**
 * Ranges over the kernels of all shards, and over those of the matrix that none of them ran: each shard names all kernels of the matrix on its axes, in
 * their order, though it knows the versions of its own alone.
 */
export function mergeRanges(
  shards: readonly RangesResult[],
  kernels: readonly KernelResult[],
  cells: readonly CellResult[],
): RangesResult {
  const ran = new Set(namesOf(kernels));
  const found = groupByAxis(kernels);
  const own = new Map(found.axes.map((axis) => [axis.name, namesOf(axis.kernels)]));
  const lists = new Map([...own].map(([axis, names]) => [axis, [names]]));
  for (const { name: axis, kernels: names } of shards.flatMap(({ axes }) => axes)) {
    // A shard can place a kernel on the axis that turns out to be the second of its version.
    const known = own.get(axis);
    const right = names.filter((name) => known === undefined || known.includes(name) || !ran.has(name));
    lists.set(axis, [...(lists.get(axis) ?? []), right]);
  }
  const axes = [...lists].map(([name, orders]) => ({ name, kernels: mergeOrders(orders) }));
  const placed = new Set(axes.flatMap((axis) => axis.kernels));
  const rest = mergeOrders(shards.map(({ apart }) => apart.filter((name) => !ran.has(name) && !placed.has(name))));
  const apart = [...namesOf(found.apart).filter((name) => !placed.has(name)), ...rest];
  return deriveRanges(
    [...axes.flatMap(({ name, kernels: members }) => datedOn(name, members)), ...apart.map(datedApart)],
    cells,
  );
}

function namesOf(kernels: readonly DatedKernel[]): string[] {
  return kernels.map(({ name }) => name);
}

/** Kernels that are known to lie on an axis in this order, with versions that say so. */
function datedOn(axis: string, names: readonly string[]): DatedKernel[] {
  const [, flavour] = /^Debian(?: (.*))?$/s.exec(axis) ?? [];
  const kind = axis === 'Ubuntu mainline' ? 'ubuntu-mainline' : /^Debian( |$)/.test(axis) ? 'debian' : 'oci';
  return names.map((name, index) => ({
    name,
    kind,
    flavour: flavour ?? null,
    release: null,
    version: `0.${index}`,
    source: axis,
  }));
}

/** A kernel that is known to lie on no axis: those from a file are on none. */
function datedApart(name: string): DatedKernel {
  return { name, kind: 'image', flavour: null, release: null, version: '', source: '' };
}
