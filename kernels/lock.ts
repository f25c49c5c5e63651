import { spawn } from 'node:child_process';
import { mkdirSync, readFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { ExplainedError } from '../loader/errors.ts';
import { guardedCommand, signalGroup } from '../loader/guarded-process.ts';

/** A lock that this process holds. */
export interface Lock {
  /** Lets the next one in; resolves when it can be taken again. Calling it twice does nothing more. */
  release(): Promise<void>;
}

export interface LockOptions {
  /** Called once if another run holds the lock; `holder` is its process id, if it is known. */
  readonly onWait?: (holder: number | null) => void;
  /** Give up at once instead of waiting: the result is then null. */
  readonly noWait?: boolean;
  /** Ends the waiting; a lock that is held stays so. */
  readonly signal?: AbortSignal | undefined;
}

/**
 * Takes the lock on `file` (made if it is not there, never removed), waiting for other processes and for other holders in this one.
 *
 * The lock is the kernel's own, flock(2), held by a small guarded child process (Node has no flock). It ends when the pipe to the child
 * closes, so it goes with its owner however that ends, SIGKILL included, and nothing stale is ever left: a file with a process id in it has
 * to guess whether that process still lives, and guesses wrong between containers that share a cache.
 *
 * @throws ExplainedError `lock-failed` if flock cannot be run or the file cannot be opened, `interrupted`
 */
export async function acquireLock(file: string, options: LockOptions & { readonly noWait: true }): Promise<Lock | null>;
export async function acquireLock(file: string, options?: LockOptions & { readonly noWait?: false }): Promise<Lock>;
export async function acquireLock(file: string, options: LockOptions = {}): Promise<Lock | null> {
  mkdirSync(dirname(file), { recursive: true });
  const script = options.noWait === true ? TRY : WAIT;
  const holder = spawn(...guardedCommand('/bin/sh', ['-c', script, 'sh', file, String(process.pid)]), {
    stdio: ['pipe', 'pipe', 'pipe'],
    // Its own process group, also because Ctrl-C must not open the lock while the owner is still tidying up.
    detached: true,
    env: { PATH: process.env.PATH, LC_ALL: 'C' },
  });
  const { stdin, stdout, stderr } = holder;
  stdin.on('error', () => {});
  const ended = new Promise<void>((resolve) => {
    holder.once('exit', () => resolve());
  });
  let errors = '';
  stderr.setEncoding('utf8').on('data', (text: string) => {
    errors += text;
  });
  const interrupt = (): void => signalGroup(holder, 'SIGKILL');
  options.signal?.addEventListener('abort', interrupt, { once: true });
  if (options.signal?.aborted === true) interrupt();
  const locked = await new Promise<boolean>((resolve, reject) => {
    let text = '';
    let said = false;
    stdout.setEncoding('utf8').on('data', (chunk: string) => {
      text += chunk;
      if (!said && text.includes('waiting\n')) {
        said = true;
        options.onWait?.(readHolder(file));
      }
      if (text.includes('locked\n')) resolve(true);
    });
    holder.on('error', (cause) => reject(failed(file, cause.message, cause)));
    holder.on('close', (code) => {
      if (code === BUSY) resolve(false);
      else if (options.signal?.aborted === true) reject(interrupted(file));
      else reject(failed(file, errors.trim() || `flock ended with ${code}`));
    });
  }).finally(() => options.signal?.removeEventListener('abort', interrupt));
  if (!locked) return null;
  holder.unref();
  for (const stream of [stdout, stderr]) stream.destroy();
  return {
    release: () => {
      holder.ref();
      stdin.end();
      return ended;
    },
  };
}

/** Runs `work` while holding the lock on `file`; see {@link acquireLock}. */
export async function withLock<T>(
  file: string,
  options: Omit<LockOptions, 'noWait'>,
  work: () => Promise<T>,
): Promise<T> {
  const lock = await acquireLock(file, { ...options, noWait: false });
  try {
    return await work();
  } finally {
    await lock.release();
  }
}

const BUSY = 75;
/** The process id is only for the message that others print while they wait; whoever waits is to find it there. */
const HOLD = '{ echo "$2" >"$1"; } 2>/dev/null; echo locked; exec sleep infinity';
const WAIT = `exec 9>>"$1" || exit 1; flock -n 9 || { echo waiting; flock 9 || exit 1; }; ${HOLD}`;
const TRY = `exec 9>>"$1" || exit 1; flock -n 9 || exit ${BUSY}; ${HOLD}`;

function readHolder(file: string): number | null {
  try {
    const pid = Number(readFileSync(file, 'utf8').trim());
    return Number.isInteger(pid) && pid > 0 ? pid : null;
  } catch {
    return null;
  }
}

function interrupted(file: string): ExplainedError {
  return new ExplainedError('interrupted', 'waiting for another run was interrupted', { where: file });
}

function failed(file: string, why: string, cause?: unknown): ExplainedError {
  return new ExplainedError('lock-failed', 'the lock cannot be taken', {
    where: file,
    why,
    fix: 'flock is in the package util-linux; the cache folder has to be writable (KSYM_MATRIX_CACHE).',
    ...(cause === undefined ? {} : { cause }),
  });
}
