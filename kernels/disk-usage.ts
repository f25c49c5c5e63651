import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';

/** What a file or folder takes on the disk, and when it was last used. */
export interface DiskUsage {
  readonly path: string;
  /** Milliseconds since 1970: when it was last written to or, for what is noted (see `noteUse`), used. */
  readonly used: number;
  /** Milliseconds since 1970: when anything in it was last written to. */
  readonly written: number;
  /** On the disk, holes not counted; of a folder, with all that is in it. */
  readonly bytes: number;
}

/** Measures a file, or a folder with all that is in it; null if it is not there, or goes meanwhile. Links are not followed. */
export async function measure(path: string): Promise<DiskUsage | null> {
  try {
    const { mtimeMs, blocks } = await stat(path);
    const entries = await readdir(path, { recursive: true, withFileTypes: true }).catch(() => []);
    const files = entries.filter((entry) => entry.isFile());
    const found = await Promise.all(files.map((file) => stat(join(file.parentPath, file.name))));
    return {
      path,
      used: mtimeMs,
      written: found.reduce((latest, file) => Math.max(latest, file.mtimeMs), mtimeMs),
      bytes: found.reduce((sum, file) => sum + file.blocks * BLOCK, blocks * BLOCK),
    };
  } catch {
    return null;
  }
}

/** Measures everything in a folder but what is hidden; nothing if there is no such folder. */
export async function measureEntries(parent: string): Promise<DiskUsage[]> {
  const entries = await readdir(parent, { withFileTypes: true }).catch(() => []);
  const names = entries.filter((entry) => !entry.name.startsWith('.') && !entry.isSymbolicLink());
  const found = await Promise.all(names.map((entry) => measure(join(parent, entry.name))));
  return found.filter((one) => one !== null);
}

/** stat(2) counts blocks of this size, whatever the filesystem's are. */
const BLOCK = 512;
