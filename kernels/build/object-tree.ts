import { mkdir, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { basename, dirname, join, relative } from 'node:path';
import { noteUse } from '../evict.ts';
import { withLock } from '../lock.ts';

/** Where the kernels of one source are compiled, one after another. */
export interface BuildFolder {
  /** CACHE/builds/NAME. */
  readonly directory: string;
  /** The source, where it is not a folder of the user's. */
  readonly source: string;
  /** kbuild's O=: what was compiled for one configuration is used again for the next, as far as the options allow. */
  readonly objects: string;
  readonly log: string;
}

/** The folder for a source; nothing is made. */
export function buildFolder(cache: string, name: string): BuildFolder {
  const directory = join(cache, 'builds', name);
  return {
    directory,
    source: join(directory, 'source'),
    objects: join(directory, 'objects'),
    log: join(directory, 'build.log'),
  };
}

/**
 * Runs `work` as the only one that builds in this folder. If an earlier run was ended in the middle, what it wrote last is removed first:
 * make takes a file that is there and new for whole, and one that was cut off by SIGKILL looks just so.
 * @throws ExplainedError `lock-failed`, `interrupted`, and what `work` throws
 */
export async function inBuildFolder<T>(
  folder: BuildFolder,
  options: { readonly onWait: (holder: number | null) => void; readonly signal: AbortSignal | undefined },
  work: () => Promise<T>,
): Promise<T> {
  const { directory } = folder;
  // Variants of one kernel wait for each other within a run: no other run is to be named then.
  const onWait = (holder: number | null): void => {
    if (holder !== process.pid) options.onWait(holder);
  };
  return withLock(
    join(dirname(directory), '.locks', `${basename(directory)}.lock`),
    { ...options, onWait },
    async () => {
      await mkdir(folder.objects, { recursive: true });
      const marker = join(directory, MARKER);
      if ((await stat(marker).catch(() => null)) !== null) await removeNewest(folder.objects);
      await writeFile(marker, `${process.pid}\n`);
      const result = await work();
      await rm(marker);
      await noteUse(directory);
      return result;
    },
  );
}

/** There while somebody builds. */
const MARKER = 'being-built';

/** Removes what was written in the minute before the last write. What kconfig writes is left: it renames whole files into place. */
async function removeNewest(objects: string): Promise<void> {
  const files: { path: string; time: number }[] = [];
  for (const entry of await readdir(objects, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name);
    if (!entry.isFile() || KCONFIG.test(relative(objects, path))) continue;
    const { mtimeMs, size } = await stat(path);
    if (size > 0) files.push({ path, time: mtimeMs });
  }
  const newest = files.reduce((latest, { time }) => Math.max(latest, time), 0);
  await Promise.all(files.filter(({ time }) => time > newest - DOUBTFUL_MS).map(({ path }) => rm(path)));
}

const KCONFIG = /^(?:\.config|include\/(?:config|generated)\/|scripts\/kconfig\/)/;
const DOUBTFUL_MS = 60_000;
