import { isDeepStrictEqual } from 'node:util';
import { ExplainedError } from '../../loader/errors.ts';
import { cellKey } from './grid-order.ts';
import { mergeOrders } from './merge-orders.ts';
import type { CellResult, KernelResult } from './results.ts';
import type { Shard } from './shard.ts';

/**
 * The cells of all shards, kernel by kernel; those of a kernel in the order of its shard.
 * @throws ExplainedError `cell-in-two-shards`
 */
export function mergeCells(shards: readonly Shard[], kernels: readonly KernelResult[]): CellResult[] {
  const owners = new Map<string, { readonly cell: CellResult; readonly shard: string }>();
  const lists = new Map<string, string[][]>(kernels.map(({ name }) => [name, []]));
  const clashes: Clash[] = [];
  for (const { results, name: shard } of shards) {
    const own = new Map<string, string[]>();
    for (const cell of results.cells) {
      const key = cellKey(cell);
      const other = owners.get(key);
      if (other === undefined) owners.set(key, { cell, shard });
      else if (!isDeepStrictEqual(other.cell, cell)) clashes.push({ one: other, other: { cell, shard } });
      const keys = own.get(cell.kernel);
      if (keys === undefined) own.set(cell.kernel, [key]);
      else keys.push(key);
    }
    for (const [kernel, keys] of own) lists.set(kernel, [...(lists.get(kernel) ?? []), keys]);
  }
  refuseClashes(clashes);
  return [...lists.values()].flatMap((parts) => mergeOrders(parts)).flatMap((key) => owners.get(key)?.cell ?? []);
}

interface Owned {
  readonly cell: CellResult;
  readonly shard: string;
}

interface Clash {
  readonly one: Owned;
  readonly other: Owned;
}

function refuseClashes([clash, ...others]: readonly Clash[]): void {
  if (clash === undefined) return;
  const { one, other } = clash;
  const { kernel, program, variant, loader } = one.cell;
  const verdicts =
    one.cell.verdict === other.cell.verdict
      ? `both say ${one.cell.verdict}, though not the same of it`
      : `${one.cell.verdict} and ${other.cell.verdict}`;
  const more = others.length === 0 ? '' : `; ${others.length} more cells are in two shards`;
  throw new ExplainedError('cell-in-two-shards', 'two shards ran the same cell', {
    where: `${one.shard} and ${other.shard}`,
    why: `${program} (variant ${variant}, loader ${loader}) on ${kernel}: ${verdicts}${more}`,
    fix: 'run each kernel in one shard, as `ksym-matrix plan` divides them',
  });
}
