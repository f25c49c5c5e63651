import { constants } from 'node:os';
import { AgentError } from '../../loader/agent/agent-error.ts';
import { ExplainedError } from '../../loader/errors.ts';
import type { Machine } from '../vm/machine.ts';
import { APPLETS, type GuestPlace } from './guest-place.ts';

/** A program to run in a guest. */
export interface ProgramRun {
  /** Path in the guest, then the arguments. */
  readonly argv: readonly [string, ...string[]];
  readonly environment: Readonly<Record<string, string>>;
  /** Folder in the guest. */
  readonly workingDirectory: string;
  /** What it reads from its standard input. Default: nothing. */
  readonly input?: AsyncIterable<Uint8Array>;
  /** Milliseconds; then it is killed. Default: none. */
  readonly timeoutMs?: number;
  readonly onOutput: (stream: 'stdout' | 'stderr', chunk: Uint8Array) => void;
}

/** How a program ended. */
export interface ProgramEnd {
  readonly exitCode: number | null;
  /** Name of the signal that ended it, such as `SIGSEGV`. */
  readonly signal: string | null;
  readonly signalNumber: number | null;
  readonly timedOut: boolean;
}

/** The environment of programs in a guest, before what the user adds. */
export const GUEST_ENVIRONMENT: Readonly<Record<string, string>> = {
  PATH: `/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:${APPLETS}`,
  HOME: '/root',
  LANG: 'C.UTF-8',
};

/**
 * Runs a program in a guest and passes its output on as it comes.
 * @throws ExplainedError `program-did-not-start`; MachineError if the machine is lost meanwhile
 */
export async function runProgram(machine: Machine, place: GuestPlace, run: ProgramRun): Promise<ProgramEnd> {
  try {
    const { exitCode, signal, timedOut } = await place.agent.execute({ ...run, collect: false });
    return { exitCode, signal: signal === null ? null : signalName(signal), signalNumber: signal, timedOut };
  } catch (error) {
    if (error instanceof AgentError && error.code === 'agent-call-failed') {
      throw new ExplainedError('program-did-not-start', error.message, {
        ...(error.why === undefined ? {} : { why: error.why }),
        cause: error,
      });
    }
    throw await machine.diagnose(error);
  }
}

/** `SIGKILL` for 9. */
function signalName(number: number): string {
  return Object.entries(constants.signals).find(([, value]) => value === number)?.[0] ?? `signal ${number}`;
}
