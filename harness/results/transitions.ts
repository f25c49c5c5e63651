import type { CellResult } from './results.ts';
import type { Verdict } from './verdicts.ts';

/** What became of a cell that two runs have; `same` if its verdict did not change. */
export type Transition = 'same' | 'regressed' | 'flaky' | 'changed' | 'fixed';

/** By the verdict in the older run, then by that in the newer one: pass, xfail, fail, xpass, panic, timeout, infra, flaky. */
export const TRANSITIONS: Readonly<Record<Verdict, Readonly<Record<Verdict, Transition>>>> = {
  // What was as expected and still is can only have changed with its expectation. All else that follows is worse.
  pass: row('same', 'changed', 'regressed', 'regressed', 'regressed', 'regressed', 'regressed', 'flaky'),
  xfail: row('changed', 'same', 'regressed', 'regressed', 'regressed', 'regressed', 'regressed', 'flaky'),
  // From one red to another is neither better nor worse. Only: where the newer run learnt nothing, less is known than before.
  fail: row('fixed', 'fixed', 'same', 'changed', 'changed', 'changed', 'regressed', 'flaky'),
  xpass: row('fixed', 'fixed', 'changed', 'same', 'changed', 'changed', 'regressed', 'flaky'),
  panic: row('fixed', 'fixed', 'changed', 'changed', 'same', 'changed', 'regressed', 'flaky'),
  timeout: row('fixed', 'fixed', 'changed', 'changed', 'changed', 'same', 'regressed', 'flaky'),
  // Nothing was known. Whether a red cell was red before the newer run as well, nobody can say, and so it is not held against it.
  infra: row('fixed', 'fixed', 'changed', 'changed', 'changed', 'changed', 'same', 'flaky'),
  // One run that ended well does not prove that a cell is steady now, but it is what a person wants to be told.
  flaky: row('fixed', 'fixed', 'changed', 'changed', 'changed', 'changed', 'regressed', 'same'),
};

/**
 * What became of a cell that both runs have. One of the same verdict has `changed` if its class, phase or errno is another: it fails, as before, but
 * for another reason. Of `infra` and `flaky` these say nothing about the kernel, and so they are left out.
 */
export function transitionOf(base: CellResult, head: CellResult): Transition {
  const transition = TRANSITIONS[base.verdict][head.verdict];
  if (transition !== 'same' || head.verdict === 'infra' || head.verdict === 'flaky') return transition;
  const { class: kind, phase, errno } = base.outcome;
  const alike = kind === head.outcome.class && phase === head.outcome.phase && errno === head.outcome.errno;
  return alike ? 'same' : 'changed';
}

type EightTransitions = readonly [
  Transition,
  Transition,
  Transition,
  Transition,
  Transition,
  Transition,
  Transition,
  Transition,
];

function row(...transitions: EightTransitions): Record<Verdict, Transition> {
  const [pass, xfail, fail, xpass, panic, timeout, infra, flaky] = transitions;
  return { pass, xfail, fail, xpass, panic, timeout, infra, flaky };
}
