import { ExplainedError } from '../../loader/errors.ts';
import { ProgramError } from '../guest/program-error.ts';
import { EXIT } from './exit-codes.ts';

/**
 * Exit codes of `exec` and `shell` beside the program's own (128 + n if signal n ended it), as docker run and timeout(1) have them. A program may
 * end with the same; only what is on stderr (`ksym-matrix: …`) tells for certain.
 */
export const GUEST_EXIT = {
  /** The program was killed because its --timeout was over. */
  timedOut: 124,
  /** The machine or the harness broke, the kernel panicked, or the command makes no sense. */
  broken: 125,
  /** The program is there and cannot be run: another architecture, a missing library, no permission. */
  cannotRun: 126,
  /** There is no such program. */
  notFound: 127,
  interrupted: EXIT.interrupted,
  /** Nobody reads the output any more: as of a program that SIGPIPE ends. */
  unread: 141,
} as const;

/** The exit code for an error that ended the command. */
export function guestExitCode(error: unknown): number {
  if (error instanceof ProgramError)
    return error.code === 'program-not-found' ? GUEST_EXIT.notFound : GUEST_EXIT.cannotRun;
  if (error instanceof ExplainedError && error.code === 'program-did-not-start') return GUEST_EXIT.cannotRun;
  return GUEST_EXIT.broken;
}
