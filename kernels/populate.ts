import { mkdir, mkdtemp, readdir, rename, rm, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { acquireLock, withLock } from './lock.ts';

export interface PopulateOptions {
  /** Called once if another run is filling the same folder; `holder` is its process id, if it is known. */
  readonly onWait?: (holder: number | null) => void;
  /** Ends the waiting for another run. */
  readonly signal?: AbortSignal | undefined;
  /** Why a folder that is there may not be used, null if it may: it is filled anew then, and stays as it is if that fails. Without it every folder is good. */
  readonly damageOf?: (path: string) => Promise<string | null>;
  /** Called before a damaged folder is filled anew. */
  readonly onDamage?: (damage: string) => void;
}

/**
 * Makes the folder `path` by filling a temporary one beside it and renaming that: nobody sees half of it, whatever ends this
 * process. If several runs ask for the same folder at once, one fills it and the others wait and use what it made.
 * Temporary folders of runs that were killed are removed first, also where nothing has to be made.
 *
 * @returns whether `fill` was called
 */
export async function populateDirectory(
  path: string,
  fill: (temporary: string) => Promise<void>,
  options: PopulateOptions = {},
): Promise<boolean> {
  const damageOf = options.damageOf ?? (async () => null);
  const parent = dirname(path);
  await sweepOnce(parent);
  if ((await exists(path)) && (await damageOf(path)) === null) return false;
  await mkdir(parent, { recursive: true });
  const { onWait, signal } = options;
  const waiting = { ...(onWait === undefined ? {} : { onWait }), signal };
  return withLock(lockFile(path), waiting, async () => {
    const isDamaged = await exists(path);
    if (isDamaged) {
      const damage = await damageOf(path);
      if (damage === null) return false;
      options.onDamage?.(damage);
    }
    const temporary = await mkdtemp(join(parent, `${TEMPORARY}${basename(path)}.`));
    try {
      await fill(temporary);
      if (isDamaged) await removeDirectory(path);
      await rename(temporary, path);
    } catch (error) {
      await rm(temporary, { recursive: true, force: true });
      throw error;
    }
    return true;
  });
}

const TEMPORARY = '.partial-';

function lockFile(path: string): string {
  return join(dirname(path), '.locks', `${basename(path)}.lock`);
}

/** Removes a folder that {@link populateDirectory} made. It is renamed first, so that an interrupted removal leaves nothing that looks whole. */
export async function removeDirectory(path: string): Promise<void> {
  const doomed = await mkdtemp(join(dirname(path), `${TEMPORARY}${basename(path)}.`));
  await rename(path, join(doomed, 'old'));
  await rm(doomed, { recursive: true, force: true });
}

/**
 * Removes a folder that {@link populateDirectory} made, or that is locked in the same way, unless somebody is filling it.
 *
 * @param mayGo asked under the lock, before and again after the folder was taken out of sight: who began to use it in between gets it back
 * @returns whether it is gone
 */
export async function removeUnused(path: string, mayGo: () => Promise<boolean>): Promise<boolean> {
  const lock = await acquireLock(lockFile(path), { noWait: true });
  if (lock === null) return false;
  try {
    if (!(await mayGo())) return false;
    const doomed = await mkdtemp(join(dirname(path), `${TEMPORARY}${basename(path)}.`));
    try {
      await rename(path, join(doomed, 'old'));
      if (await mayGo()) return true;
      await rename(join(doomed, 'old'), path);
      return false;
    } finally {
      await rm(doomed, { recursive: true, force: true });
    }
  } finally {
    await lock.release();
  }
}

/** Parents that this process has looked at. */
const swept = new Map<string, Promise<void>>();

/** What was killed is removed by the next process, whatever that one makes here; a second look within it would find nothing new. */
function sweepOnce(parent: string): Promise<void> {
  const found = swept.get(parent) ?? sweep(parent);
  swept.set(parent, found);
  return found;
}

/** Removes temporary folders whose owner is gone: whoever fills a folder holds its lock. */
async function sweep(parent: string): Promise<void> {
  for (const entry of await readdir(parent).catch(() => [])) {
    if (!entry.startsWith(TEMPORARY)) continue;
    const name = entry.slice(TEMPORARY.length, entry.lastIndexOf('.'));
    const lock = await acquireLock(lockFile(join(parent, name)), { noWait: true });
    if (lock === null) continue;
    try {
      await rm(join(parent, entry), { recursive: true, force: true });
    } finally {
      await lock.release();
    }
  }
}

async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}
