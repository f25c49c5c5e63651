import { randomBytes } from 'node:crypto';
import type { SyscallBuffer } from '../../loader/agent/connection.ts';
import { errnoName } from '../../loader/agent/errno.ts';
import { syscallNumber } from '../../loader/agent/syscall-numbers.ts';
import { ExplainedError } from '../../loader/errors.ts';
import type { GuestPlace } from './guest-place.ts';

const TERMINAL = '/dev/hvc0';
const AT_FDCWD = -100;
const O_RDWR_NOCTTY = 0o402;
/** include/uapi/asm-generic/ioctls.h */
const TIOCSWINSZ = 0x5414;

/** Columns and rows. */
export interface WindowSize {
  readonly columns: number;
  readonly rows: number;
}

/** An interactive program on the guest's terminal. */
export interface ShellSession {
  /** What the guest writes when the program has ended: these bytes, the exit code in digits, and {@link END_MARK_TAIL}. Nobody can know them before. */
  readonly endMark: Buffer;
  /** Tells the guest's terminal its size, and its programs (SIGWINCH). */
  resize(size: WindowSize): Promise<void>;
}

/** The end of an application program command (ECMA-48), which terminals do not show. */
export const END_MARK_TAIL = '\u001b\\';

/**
 * Starts an interactive program on /dev/hvc0, as the leader of a session whose controlling terminal that is, so that job control and Ctrl-C
 * work. The agent stays free meanwhile; the program's end is told on the terminal.
 * @throws ExplainedError `no-guest-terminal`; AgentError
 */
export async function startShell(
  place: GuestPlace,
  shell: {
    readonly argv: readonly string[];
    readonly environment: Readonly<Record<string, string>>;
    readonly workingDirectory: string;
    readonly size: WindowSize;
  },
): Promise<ShellSession> {
  const { agent, busybox } = place;
  const call = (name: 'openat' | 'ioctl', ...args: (number | SyscallBuffer)[]): ReturnType<typeof agent.syscall> =>
    agent.syscall({ number: syscallNumber(agent.hello.machine, name), args });
  const path = new TextEncoder().encode(`${TERMINAL}\0`);
  // Held open, so that its settings live as long as the session.
  const { value: terminal, errno } = await call('openat', AT_FDCWD, { bytes: path, direction: 'in' }, O_RDWR_NOCTTY);
  if (errno !== 0) {
    throw new ExplainedError('no-guest-terminal', 'the guest has no terminal', {
      where: TERMINAL,
      why: errnoName(errno),
      fix: 'does the kernel have virtio_console? Commands still work through a pipe: echo COMMAND | ksym-matrix shell KERNEL',
    });
  }
  const resize = async ({ columns, rows }: WindowSize): Promise<void> => {
    const bytes = new Uint8Array(8);
    new DataView(bytes.buffer).setUint16(0, rows, true);
    new DataView(bytes.buffer).setUint16(2, columns, true);
    await call('ioctl', terminal, TIOCSWINSZ, { bytes, direction: 'in' });
  };
  await resize(shell.size);
  const token = randomBytes(12).toString('hex');
  // setsid forks here, as the agent's programs lead process groups, and its parent ends at once; `&` would have Ctrl-C ignored by all that
  // follows. The inner shell leads the session and outlives what the user runs.
  const outer = 'cd "$3" 2>/dev/null || cd /; exec "$1" setsid -c "$1" sh -c "$2" sh "$@" <$0 >$0 2>&1';
  const inner = 'mark=$4; shift 4; "$@"; printf "\\033_%s%d\\033\\\\" "$mark" $?';
  await agent.execute({
    argv: [busybox, 'sh', '-c', outer, TERMINAL, busybox, inner, shell.workingDirectory, token, ...shell.argv],
    environment: shell.environment,
  });
  return { endMark: Buffer.from(`\u001b_${token}`), resize };
}
