import { utimes } from 'node:fs/promises';
import { measureEntries } from './disk-usage.ts';
import { removeDirectory } from './populate.ts';

/** What may stay of a folder of folders that `populateDirectory` made. */
export interface EvictionLimits {
  /** A folder that was not used for so long goes, in milliseconds. */
  readonly maxAgeMs: number;
  /** If all folders together take more disk than this, the ones that were not used for longest go. */
  readonly maxBytes: number;
  /** A folder that was used this short a time ago stays in any case: another run may be about to open it. In milliseconds. */
  readonly keepMs: number;
}

/** Notes that a folder was used, for {@link evict}. A cache that may only be read stays as it is. */
export async function noteUse(directory: string): Promise<void> {
  const now = new Date();
  await utimes(directory, now, now).catch(() => undefined);
}

/**
 * Removes folders in `parent` that are old, or too much. A process that has opened files in one keeps them. Never rejects: what cannot be
 * removed, or is removed by another run at the same time, is left.
 *
 * @returns the folders that were removed
 */
export async function evict(parent: string, limits: EvictionLimits): Promise<string[]> {
  const folders = await measureEntries(parent);
  // A clock that was set back must not make folders of the future immortal.
  const age = (used: number): number => Math.abs(Date.now() - used);
  folders.sort((left, right) => age(left.used) - age(right.used));
  const removed: string[] = [];
  let total = 0;
  for (const { path, used, bytes } of folders) {
    total += bytes;
    const doomed = age(used) > limits.maxAgeMs || (total > limits.maxBytes && age(used) > limits.keepMs);
    if (!doomed) continue;
    total -= bytes;
    await removeDirectory(path).then(
      () => removed.push(path),
      () => undefined,
    );
  }
  return removed;
}
