import { execa, type ResultPromise } from 'execa';
import { guardedCommand } from '../../loader/guarded-process.ts';

/** Process groups of QEMU that are alive, for the last sweep when this process exits. */
const liveGroups = new Set<number>();
let sweepInstalled = false;

/** A child in a process group of its own. */
export interface GroupProcess {
  readonly pid: number;
  readonly child: ResultPromise<typeof EXECA_OPTIONS>;
  /** Settles when the child has ended, whatever the reason; never rejects. */
  readonly exited: Promise<ProcessExit>;
  /** Sends a signal to the whole group; does nothing if it is gone. */
  signal(signal: NodeJS.Signals): void;
}

export interface ProcessExit {
  readonly exitCode: number | undefined;
  readonly signal: string | undefined;
  /** Why the process could not be started; undefined if it was. */
  readonly startError: string | undefined;
  readonly stderr: string;
}

const EXECA_OPTIONS = {
  detached: true,
  cleanup: false,
  reject: false,
  // Held open and never written to: the guard waits for its end.
  stdin: 'pipe',
  stdout: 'pipe',
  stderr: 'pipe',
  buffer: { stdout: false, stderr: true },
  encoding: 'utf8',
  maxBuffer: 1_000_000,
  stripFinalNewline: true,
} as const;

/** Keeps the process id and the exit code of the program; `cat` ends when it does. */
const THROUGH_FIFO = 'fifo=$1; shift; mkfifo -- "$fifo" && { cat <"$fifo" & exec "$@" >"$fifo"; }';

/**
 * Starts a program that must not outlive this process. It gets a process group of its own, so that a terminal's Ctrl-C
 * reaches it only through us and everything that it starts can be killed at once. The guard kills the group when this process dies, even of
 * SIGKILL, where no handler of ours runs; `setpriv` (util-linux) asks the kernel to kill the program itself as well, should somebody have killed the guard.
 *
 * @param options `outputFifo`: path of a named pipe to make, through which the standard output goes. Node's own pipes are
 *   sockets, which are full after some 300 writes of one byte: QEMU writes a serial console so, and drops what does not fit.
 */
export function startGroupProcess(
  command: string,
  args: readonly string[],
  options: { readonly outputFifo?: string } = {},
): GroupProcess {
  const whole = ['setpriv', '--pdeathsig', 'KILL', '--', command, ...args];
  const [program = '', ...rest] =
    options.outputFifo === undefined ? whole : ['/bin/sh', '-c', THROUGH_FIFO, 'sh', options.outputFifo, ...whole];
  const [guard, words] = guardedCommand(program, rest);
  const child = execa(guard, words, EXECA_OPTIONS);
  const pid = child.pid ?? -1;
  installSweep();
  if (pid > 0) liveGroups.add(pid);
  const exited = (async (): Promise<ProcessExit> => {
    const result = await child;
    liveGroups.delete(pid);
    const noSetpriv = pid === -1 || (result.exitCode === undefined && result.signal === undefined);
    // setpriv speaks only if it could not put the program in its place: "setpriv: failed to execute …: No such file …".
    const noProgram = result.exitCode !== 0 && result.stderr.startsWith('setpriv: ');
    const startError = noSetpriv ? (result.originalMessage ?? result.shortMessage ?? 'unknown reason') : result.stderr;
    return {
      exitCode: result.exitCode,
      signal: result.signal,
      startError: noSetpriv || noProgram ? startError : undefined,
      stderr: result.stderr,
    };
  })();
  return {
    pid,
    child,
    exited,
    signal: (signal) => killGroup(pid, signal),
  };
}

function killGroup(pid: number, signal: NodeJS.Signals): void {
  if (!liveGroups.has(pid)) return;
  try {
    process.kill(-pid, signal);
  } catch {
    // ESRCH: the group ended between the check and the signal.
  }
}

function installSweep(): void {
  if (sweepInstalled) return;
  sweepInstalled = true;
  process.on('exit', () => {
    for (const pid of liveGroups) killGroup(pid, 'SIGKILL');
  });
}
