import type { RunResults } from './results.ts';
import type { Verdict } from './verdicts.ts';

/** One letter for each verdict in a {@link HistoryRun}. */
export const VERDICT_LETTERS: Readonly<Record<Verdict, string>> = {
  pass: 'p',
  xfail: 'x',
  fail: 'F',
  xpass: 'X',
  panic: 'P',
  timeout: 'T',
  infra: 'I',
  flaky: 'Y',
};

/** The letter of a cell that was not run. */
export const NOT_RUN_LETTER = '.';

/** What is kept of a run for ever: which verdict each cell had, and nothing of why. A few kilobytes. */
export interface HistoryRun {
  readonly schemaVersion: 1;
  readonly id: string;
  readonly startedAt: string;
  readonly toolVersion: string;
  readonly origin: RunResults['origin'];
  readonly accelerator: 'kvm' | 'tcg';
  readonly complete: boolean;
  readonly totals: RunResults['totals'];
  readonly kernels: readonly { readonly name: string; readonly release: string; readonly version: string }[];
  readonly rows: readonly {
    readonly loader: string;
    readonly program: string;
    readonly variant: string;
    /** A letter for each kernel, in the order of `kernels`. */
    readonly verdicts: string;
  }[];
}
