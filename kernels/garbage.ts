import { rm } from 'node:fs/promises';
import { basename } from 'node:path';
import { usedKernels } from './in-use.ts';
import type { CacheItem, Inventory } from './inventory.ts';
import { removeUnused } from './populate.ts';

/** What was used this short a time ago stays: a run may be about to open it. In milliseconds. */
export const KEEP_MS = 3600 * 1000;

/**
 * What has to go so that a cache takes no more than `keep` bytes: first packages whose kernels are unpacked, as nothing needs them any more,
 * then whatever was used least recently. What was used in the last hour stays, as does what belongs to a kernel that a process uses now.
 *
 * @param inUse folders of kernels, see `usedKernels`
 */
export function chooseGarbage(
  inventory: Inventory,
  keep: number,
  inUse: ReadonlyMap<string, string>,
  now: number = Date.now(),
): CacheItem[] {
  const unpacked = new Set(inventory.kernels.filter(({ manifest }) => manifest !== null).map(({ folder }) => folder));
  const isSpare = ({ part, kernel }: CacheItem): boolean =>
    part === 'downloads' && kernel !== null && unpacked.has(kernel);
  // A clock that was set back must not make anything immortal.
  const idle = ({ used }: CacheItem): number => Math.abs(now - used);
  const candidates = inventory.items
    .filter((item) => !item.stays && idle(item) > KEEP_MS && (item.kernel === null || !inUse.has(item.kernel)))
    .sort((left, right) => Number(isSpare(right)) - Number(isSpare(left)) || idle(right) - idle(left));
  const chosen: CacheItem[] = [];
  let { bytes } = inventory;
  for (const item of candidates) {
    if (bytes <= keep) break;
    chosen.push(item);
    bytes -= item.bytes;
  }
  return chosen;
}

/**
 * Removes a piece of the cache, unless a process uses its kernel or is making it. What was opened before stays readable to who opened it.
 * @returns whether it is gone
 */
export async function removeItem(cache: string, item: CacheItem): Promise<boolean> {
  const { part, path, kernel } = item;
  const isFree = async (): Promise<boolean> => kernel === null || !(await usedKernels(cache)).has(kernel);
  if (part === 'downloads' || part === 'runs' || path.endsWith('.deb')) {
    if (!(await isFree())) return false;
    await rm(path, { recursive: true, force: true });
    return true;
  }
  return removeUnused(path, isFree);
}

/** How a piece is called in messages. */
export function itemName({ part, path }: CacheItem): string {
  return part === 'downloads' ? basename(path) : `${PART_WORDS[part]} ${basename(path)}`;
}

/** What one piece of each part is, for people. */
const PART_WORDS: Readonly<Record<CacheItem['part'], string>> = {
  kernels: 'kernel',
  downloads: 'package',
  templates: 'saved machine',
  machines: 'prepared machine',
  builds: 'build',
  loaders: 'loader',
  runs: 'run',
};
