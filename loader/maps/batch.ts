import { errnoName } from '../agent/errno.ts';
import { input, output } from '../syscall/attr.ts';
import { BatchCommand, callBatch, type MapHandle } from './elements.ts';

/** Keys and values of one element; a per-CPU value is all CPUs' one after another, as the kernel lays them out. */
export type RawElement = readonly [key: Uint8Array, value: Uint8Array];

/** Sizes in bytes, as the kernel counts them. */
export interface ElementSizes {
  readonly key: number;
  readonly value: number;
}

const FIRST_COUNT = 1024;
const LARGEST_BYTES = 16 << 20;
/** What kernels answer that know no batches, or none for this type of map (bpf_map_do_batch, kernel/bpf/syscall.c). */
const UNSUPPORTED: ReadonlySet<string> = new Set(['EINVAL', 'ENOTSUPP', 'EOPNOTSUPP']);

/** Whether an errno says that this kernel or map has no such batch operation. */
function lacksBatch(errno: number): boolean {
  return UNSUPPORTED.has(errnoName(errno));
}

/**
 * All elements in as few requests as possible; null from the first step if the kernel or the map has no batches. Elements that come or go meanwhile may be missed.
 * `failed` makes the error of any other refusal. With `remove` each element is taken out as it is read.
 */
export async function* lookupBatches(
  map: MapHandle,
  sizes: ElementSizes,
  options: { readonly remove?: boolean; readonly failed: (errno: number) => Error },
): AsyncGenerator<readonly RawElement[] | null, void, undefined> {
  const command = options.remove === true ? BatchCommand.lookupAndDelete : BatchCommand.lookup;
  const most = Math.max(1, Math.floor(LARGEST_BYTES / (sizes.key + sizes.value)));
  let count = Math.min(FIRST_COUNT, most);
  // Where to go on is a number for hashes, a key for arrays.
  let from: Uint8Array | null = null;
  for (;;) {
    const next = output(Math.max(sizes.key, 8));
    const [keys, values] = [output(count * sizes.key), output(count * sizes.value)];
    const result: { errno: number; count: number } = await callBatch(map, command, {
      from: from === null ? null : input(from),
      next,
      keys,
      values,
      count,
    });
    const name = errnoName(result.errno);
    // One bucket of the hash holds more than there is room for.
    if (name === 'ENOSPC' && count < most) {
      count = Math.min(count * 4, most);
      continue;
    }
    if (result.errno !== 0 && name !== 'ENOENT') {
      if (from !== null || !lacksBatch(result.errno)) throw options.failed(result.errno);
      yield null;
      return;
    }
    // At the end the kernel says how many there still were.
    yield split(keys.bytes, values.bytes, sizes, result.count);
    if (name === 'ENOENT') return;
    from = next.bytes;
  }
}

/** Updates many elements; false if the kernel or the map has no batches. `failed` makes the error of any other refusal. */
export async function updateBatches(
  map: MapHandle,
  sizes: ElementSizes,
  elements: readonly RawElement[],
  options: { readonly flags: number; readonly failed: (errno: number) => Error },
): Promise<boolean> {
  const most = Math.max(1, Math.floor(LARGEST_BYTES / (sizes.key + sizes.value)));
  for (let at = 0; at < elements.length; at += most) {
    const part = elements.slice(at, at + most);
    const { errno } = await callBatch(map, BatchCommand.update, {
      keys: input(Buffer.concat(part.map(([key]) => key))),
      values: input(Buffer.concat(part.map(([, value]) => value))),
      count: part.length,
      flags: options.flags,
    });
    if (errno === 0) continue;
    if (at === 0 && lacksBatch(errno)) return false;
    throw options.failed(errno);
  }
  return true;
}

/** Removes elements up to the first that cannot be: how many, and the errno that stopped it. */
export async function deleteBatch(
  map: MapHandle,
  keys: readonly Uint8Array[],
): Promise<{ readonly errno: number; readonly count: number }> {
  const all = Buffer.concat(keys);
  const { errno, count } = await callBatch(map, BatchCommand.delete, {
    keys: input(all),
    values: null,
    count: keys.length,
  });
  // A kernel without the command leaves the count as it was.
  return { errno, count: lacksBatch(errno) ? 0 : count };
}

function split(keys: Uint8Array, values: Uint8Array, sizes: ElementSizes, count: number): RawElement[] {
  return Array.from({ length: count }, (_, index) => [
    keys.slice(index * sizes.key, (index + 1) * sizes.key),
    values.slice(index * sizes.value, (index + 1) * sizes.value),
  ]);
}
