import { randomUUID } from 'node:crypto';
import { appendFile, mkdir, readdir, readFile, rename, rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { acquireLock, type Lock } from './lock.ts';

/**
 * Notes that this process uses a kernel of the cache, so that `kernels rm` and `kernels gc` leave it alone: a machine may be started from it at
 * any time. The note is a locked file; the lock goes with this process, whatever ends it.
 *
 * @param directory CACHE/kernels/NAME
 */
export async function noteUser(directory: string): Promise<void> {
  const folder = join(dirname(directory), USERS);
  const opened = notes.get(folder) ?? openNote(folder);
  notes.set(folder, opened);
  const note = await opened;
  if (note !== null) await appendFile(note.path, `${basename(directory)}\n`);
}

/** Names of the folders in CACHE/kernels that processes use now, each with the id of one of them (in its own container, if it has one). */
export async function usedKernels(cache: string): Promise<ReadonlyMap<string, string>> {
  const folder = join(cache, 'kernels', USERS);
  const used = new Map<string, string>();
  for (const name of await readdir(folder).catch(() => [])) {
    if (name.startsWith('.')) continue;
    const path = join(folder, name);
    const lock = await acquireLock(path, { noWait: true });
    if (lock !== null) {
      // Nobody held it: its process was killed.
      await rm(path, { force: true });
      await lock.release();
      continue;
    }
    const [process = '', ...kernels] = (await readFile(path, 'utf8').catch(() => '')).split('\n');
    for (const kernel of kernels) if (kernel !== '') used.set(kernel, process);
  }
  return used;
}

/** This process needs none of the kernels any more that it has noted. Happens by itself when it ends. */
export async function endUse(): Promise<void> {
  const opened = [...notes.values()];
  notes.clear();
  for (const note of await Promise.all(opened)) {
    if (note === null) continue;
    await rm(note.path, { force: true });
    await note.lock.release();
  }
}

interface Note {
  readonly path: string;
  readonly lock: Lock;
}

const USERS = '.users';

/** One for each cache that this process uses. */
const notes = new Map<string, Promise<Note | null>>();

/** Null in a cache that may only be read: nobody can remove anything there. */
async function openNote(folder: string): Promise<Note | null> {
  if (notes.size === 0) process.once('beforeExit', () => void endUse());
  try {
    await mkdir(folder, { recursive: true });
    const name = randomUUID();
    // Nobody is to find it before it is locked. The lock writes the process id into it.
    const lock = await acquireLock(join(folder, `.${name}`));
    const path = join(folder, name);
    await rename(join(folder, `.${name}`), path);
    return { path, lock };
  } catch {
    return null;
  }
}
