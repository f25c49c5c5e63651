import { type ChildProcess, spawn } from 'node:child_process';
import { accessSync, constants, statSync } from 'node:fs';
import { delimiter, join } from 'node:path';

/**
 * Leads the process group `$$`, and becomes the program. Beside it a small shell waits until the pipe on standard input closes: the
 * kernel closes it when its owner dies, whatever it dies of, so the end of the pipe with the program still alive means that nobody waits for
 * it any more. It is a group that is killed, because tools start others (apt its methods, tsc the real compiler). Signals for the group
 * leave the waiting shell alone: what they are to end may take its time, and has to be guarded for as long.
 */
const GUARD =
  'exec 3<&0 </dev/null; ' +
  '{ trap "" HUP INT QUIT TERM; read -r _ <&3; kill -0 $$ && { kill -KILL -$$ || kill -KILL $$; }; } >/dev/null 2>&1 & ' +
  'exec "$@" 3<&-';

/**
 * The command line that runs a program which must not outlive its owner, not even one that was killed with SIGKILL. Process id and exit code are the
 * program's; its standard input is /dev/null. Start it with `detached: true` (a process group of its own) and a pipe for standard
 * input that nothing is written to: Node closes it when the program has ended, the kernel when this process has.
 *
 * prctl(2)'s PR_SET_PDEATHSIG does the same for one process, but not for what that starts, and not if the owner dies before the call.
 */
export function guardedCommand(
  program: string,
  args: readonly string[],
): readonly [program: string, args: readonly string[]] {
  return ['/bin/sh', ['-c', GUARD, 'sh', program, ...args]];
}

/** How {@link runGuarded} runs a program. */
export interface GuardedOptions {
  readonly cwd?: string;
  /** The whole environment; its PATH is where the program is looked for. Default: this process's. */
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** Ends the program and all that it started. */
  readonly signal?: AbortSignal | undefined;
  /** Milliseconds until it is ended. Default: none. */
  readonly timeoutMs?: number;
}

/** How a program ended. */
export interface GuardedResult {
  /** `missing`: there is no such program; `aborted`, `timeout`: it was ended for that. */
  readonly end: 'exit' | 'missing' | 'aborted' | 'timeout';
  /** Null if a signal ended it, or it did not run. */
  readonly exitCode: number | null;
  readonly stdout: Buffer;
  readonly stderr: string;
}

/** Runs a program under {@link guardedCommand} without a shell's reading of its arguments, and collects what it prints. Never rejects. */
export async function runGuarded(
  program: string,
  args: readonly string[],
  options: GuardedOptions = {},
): Promise<GuardedResult> {
  const env = options.env ?? process.env;
  const nothing = { exitCode: null, stdout: Buffer.alloc(0), stderr: '' };
  const path = locateProgram(program, env.PATH ?? '');
  if (path === undefined) return { ...nothing, end: 'missing' };
  if (options.signal?.aborted === true) return { ...nothing, end: 'aborted' };
  const [shell, words] = guardedCommand(path, args);
  const child = spawn(shell, words, {
    stdio: ['pipe', 'pipe', 'pipe'],
    detached: true,
    env: { ...env },
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
  });
  const [stdout, stderr] = [child.stdout, child.stderr].map((stream) => {
    const chunks: Buffer[] = [];
    stream.on('data', (chunk: Buffer) => chunks.push(chunk));
    return chunks;
  });
  let end: GuardedResult['end'] = 'exit';
  let lastResort: NodeJS.Timeout | undefined;
  const stop = (why: 'aborted' | 'timeout'): void => {
    end = why;
    signalGroup(child, 'SIGTERM');
    lastResort = setTimeout(() => signalGroup(child, 'SIGKILL'), GRACE_MS);
  };
  const onAbort = (): void => stop('aborted');
  options.signal?.addEventListener('abort', onAbort, { once: true });
  const timer = options.timeoutMs === undefined ? undefined : setTimeout(() => stop('timeout'), options.timeoutMs);
  const exitCode = await new Promise<number | null>((resolve) => {
    child.once('error', () => resolve(null));
    child.once('close', resolve);
  });
  options.signal?.removeEventListener('abort', onAbort);
  clearTimeout(timer);
  clearTimeout(lastResort);
  return {
    end,
    exitCode,
    stdout: Buffer.concat(stdout ?? []),
    stderr: Buffer.concat(stderr ?? []).toString('utf8'),
  };
}

/** Sends a signal to a process group that was started with `detached: true`; does nothing if it is gone. */
export function signalGroup(leader: ChildProcess, signal: NodeJS.Signals): void {
  try {
    // Without a process id nothing was started, and a group 0 would be our own.
    if (leader.pid !== undefined) process.kill(-leader.pid, signal);
  } catch {
    // ESRCH: it has ended.
  }
}

/** The path of a program in the folders of PATH, or itself if it has a slash; undefined if there is none that can be executed. */
export function locateProgram(name: string, path: string): string | undefined {
  const places = name.includes('/') ? [name] : path.split(delimiter).map((folder) => join(folder || '.', name));
  return places.find((place) => {
    try {
      accessSync(place, constants.X_OK);
      return statSync(place).isFile();
    } catch {
      return false;
    }
  });
}

/** From SIGTERM to SIGKILL. */
const GRACE_MS = 1000;
