import type { ExplainedError } from '../../loader/errors.ts';
import type { ProgramEnd } from '../guest/run-program.ts';
import { seconds } from '../report/summary.ts';
import { MachineError } from '../vm/errors.ts';
import { GUEST_EXIT } from './guest-exit-codes.ts';
import type { GuestKernel } from './guest-kernels.ts';

/** What became of a program on one kernel: an entry of `results` in the document that `exec --json` writes. */
export interface ExecResult {
  readonly kernel: string;
  /** As in `uname -r`. */
  readonly release: string;
  readonly status: 'exited' | 'signalled' | 'timed-out' | 'failed';
  /** What `exec` ends with if this is its only kernel. */
  readonly code: number;
  /** The program's own exit code; null if it has none. */
  readonly exitCode: number | null;
  readonly signal: string | null;
  /** What kept the program from ending by itself, or from being run. */
  readonly failure: { readonly code: string; readonly message: string; readonly console: readonly string[] } | null;
  /** Files that were to be fetched and are not there. */
  readonly missing: readonly string[];
  /** From the wish for a machine to its end, in milliseconds. */
  readonly durationMs: number;
  /** Path of the console log. */
  readonly console: string | null;
}

/** A program that ran to an end. */
export function resultOf(
  { name, kernel }: GuestKernel,
  end: ProgramEnd,
  missing: readonly ExplainedError[],
  durationMs: number,
  console: string,
): ExecResult {
  const status = end.timedOut ? 'timed-out' : end.signalNumber === null ? 'exited' : 'signalled';
  const own = end.signalNumber === null ? (end.exitCode ?? GUEST_EXIT.broken) : 128 + end.signalNumber;
  return {
    kernel: name,
    release: kernel.release,
    status,
    // A file that was asked for and is not there must not go unnoticed behind a 0.
    code: end.timedOut ? GUEST_EXIT.timedOut : own === 0 && missing.length > 0 ? GUEST_EXIT.broken : own,
    exitCode: end.exitCode,
    signal: end.signal,
    failure: null,
    missing: missing.map((error) => error.message),
    durationMs: Math.round(durationMs),
    console,
  };
}

/** A program that was not run, or whose machine broke. */
export function failedResult(
  { name, kernel }: GuestKernel,
  error: ExplainedError,
  code: number,
  durationMs: number,
  console: string | null,
): ExecResult {
  const excerpt = error instanceof MachineError ? error.consoleExcerpt : [];
  return {
    kernel: name,
    release: kernel.release,
    status: 'failed',
    code,
    exitCode: null,
    signal: null,
    failure: { code: error.code, message: error.explain(), console: excerpt },
    missing: [],
    durationMs: Math.round(durationMs),
    console,
  };
}

/** One line for people. */
export function summarize({ status, exitCode, signal, failure, durationMs }: ExecResult): string {
  const took = `in ${seconds(durationMs)}`;
  switch (status) {
    case 'exited':
      return `${exitCode === 0 ? 'ok' : `exit code ${exitCode}`} ${took}`;
    case 'signalled':
      return `ended by ${signal} ${took}`;
    case 'timed-out':
      return `killed, its time was over, ${took}`;
    case 'failed':
      return `${failure?.code ?? 'failed'} ${took}`;
  }
}

/** One kernel's code as it is; of several: 0 if all are 0, 125 if a machine broke or a file is missing, else 1. */
export function exitCodeOf(results: readonly ExecResult[]): number {
  const [first] = results;
  if (first !== undefined && results.length === 1) return first.code;
  if (results.some(({ status, missing }) => status === 'failed' || missing.length > 0)) return GUEST_EXIT.broken;
  return results.every(({ code }) => code === 0) ? 0 : 1;
}
