/**
 * An outcome held against what was expected:
 * - `pass`: works, as expected; `xfail`: fails, exactly as expected
 * - `fail`: fails although it should work, or fails otherwise than expected; `xpass`: works although it should fail
 * - `panic`, `timeout`: the kernel crashed, or it or the agent stopped answering, unexpectedly
 * - `infra`: the harness or the host broke; nothing was learnt about the kernel
 * - `flaky`: it was run again because it ended red, and did not end the same
 */
export const VERDICTS = ['pass', 'xfail', 'fail', 'xpass', 'panic', 'timeout', 'infra', 'flaky'] as const;

/** One of {@link VERDICTS}. */
export type Verdict = (typeof VERDICTS)[number];

/** The verdicts that make a run fail. */
export const RED_VERDICTS: ReadonlySet<Verdict> = new Set(['fail', 'xpass', 'panic', 'timeout', 'infra', 'flaky']);

/** How many cells have each verdict, all verdicts named. */
export function countVerdicts(cells: readonly { readonly verdict: Verdict }[]): Record<Verdict, number> {
  const totals: Record<Verdict, number> = {
    pass: 0,
    xfail: 0,
    fail: 0,
    xpass: 0,
    panic: 0,
    timeout: 0,
    infra: 0,
    flaky: 0,
  };
  for (const cell of cells) totals[cell.verdict]++;
  return totals;
}
