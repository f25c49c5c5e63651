import { readdir, stat, utimes } from 'node:fs/promises';
import { join } from 'node:path';
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
  const folders = await listFolders(parent);
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

interface Folder {
  readonly path: string;
  /** Milliseconds since 1970. */
  readonly used: number;
  /** On the disk, holes not counted. */
  readonly bytes: number;
}

async function listFolders(parent: string): Promise<Folder[]> {
  const names = await readdir(parent).catch(() => []);
  const folders = await Promise.all(
    names.filter((name) => !name.startsWith('.')).map((name) => describeFolder(join(parent, name))),
  );
  return folders.filter((folder) => folder !== null);
}

async function describeFolder(path: string): Promise<Folder | null> {
  try {
    const { mtimeMs } = await stat(path);
    const files = await readdir(path, { recursive: true });
    const sizes = await Promise.all(files.map(async (file) => (await stat(join(path, file))).blocks * BLOCK));
    return { path, used: mtimeMs, bytes: sizes.reduce((sum, size) => sum + size, 0) };
  } catch {
    // It went meanwhile.
    return null;
  }
}

/** stat(2) counts blocks of this size, whatever the filesystem's are. */
const BLOCK = 512;
