import { setTimeout as sleep } from 'node:timers/promises';
import type { AgentConnection, SyscallBuffer } from '../../loader/agent/connection.ts';
import { errnoName } from '../../loader/agent/errno.ts';
import { syscallNumber } from '../../loader/agent/syscall-numbers.ts';
import { ExplainedError } from '../../loader/errors.ts';
import type { ConsoleLog } from './console.ts';

const AT_FDCWD = -100;
const O_WRONLY = 1;
/** Every marker begins so. */
const PREFIX = 'ksym-matrix: ';
/** Time for a marker to come out; a console that is flooded needs longer. */
const LAG_MS = 2000;

/**
 * Writes lines of our own into the kernel's log (/dev/kmsg, Documentation/ABI/testing/dev-kmsg). They tell a reader which cell the console is about,
 * and since the kernel prints its log in order, all that it had to say about a cell has come out when the marker after it has.
 */
export class ConsoleMarker {
  readonly #agent: AgentConnection;
  readonly #console: ConsoleLog;
  #descriptor: number | undefined;
  #count = 0;

  constructor(agent: AgentConnection, console: ConsoleLog) {
    this.#agent = agent;
    this.#console = console;
  }

  /** Writes a line. Throws AgentError; ExplainedError `kernel-log-unwritable`. */
  async write(text: string): Promise<void> {
    this.#descriptor ??= await this.#call('openat', AT_FDCWD, input('/dev/kmsg\0'), O_WRONLY);
    // <6> is KERN_INFO: machines boot with loglevel=7, so it is shown.
    const line = input(`<6>${PREFIX}${text}\n`);
    await this.#call('write', this.#descriptor, line, line.bytes.length);
  }

  /**
   * Writes a line that is told from all others, whose end `caughtUp` waits for.
   * @returns a function that resolves to true when the console has printed everything up to that line, to false if it lags by seconds
   */
  async writeEnd(text: string): Promise<() => Promise<boolean>> {
    const whole = `${text} (${++this.#count})`;
    const from = this.#console.mark();
    await this.write(whole);
    const isThere = (): boolean => this.#console.since(from).lines.some((line) => line.endsWith(PREFIX + whole));
    return async () => {
      const deadline = performance.now() + LAG_MS;
      while (!isThere()) {
        if (performance.now() > deadline) return false;
        await sleep(1);
      }
      return true;
    };
  }

  async #call(name: 'openat' | 'write', ...args: (number | SyscallBuffer)[]): Promise<number> {
    const { value, errno } = await this.#agent.syscall({
      number: syscallNumber(this.#agent.hello.machine, name),
      args,
    });
    if (errno === 0) return value;
    throw new ExplainedError('kernel-log-unwritable', 'nothing can be written into the kernel log', {
      where: '/dev/kmsg in the machine',
      why: `${name}: ${errnoName(errno)}`,
    });
  }
}

/** Whether a line of the console is the marker of a cell, whatever stamp stands before it. What init.sh says begins in the same way and is none. */
export function isMarker(line: string): boolean {
  return /^(?:\[[^\]]*\]\s*)*ksym-matrix: .* (?:begins|ends \(\d+\))$/.test(line);
}

function input(text: string): SyscallBuffer {
  return { bytes: new TextEncoder().encode(text), direction: 'in' };
}
