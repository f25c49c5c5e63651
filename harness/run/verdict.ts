import { factHolds } from '../config/fact-condition.ts';
import type { Program } from '../config/load.ts';
import type { Condition, ExpectedFailure, ExpectedOutcome, MatrixException } from '../config/schema.ts';
import { isInRange, type KernelVersion, parseVersionRange } from '../config/version-range.ts';
import type { Verdict } from '../results/verdicts.ts';
import type { FactValues } from './facts.ts';
import type { Outcome } from './outcome.ts';

/** Where a cell stands: what conditions are asked about. */
export interface CellSituation {
  readonly version: KernelVersion;
  readonly variant: string;
  readonly facts: FactValues;
}

/** The expectation that applies to a cell. */
export interface AppliedExpectation {
  readonly outcome: ExpectedOutcome;
  readonly externs: Readonly<Record<string, 'address' | 'btf-id' | 'null'>>;
  readonly reason: string;
  /** Where it is written: `exceptions[2]` in matrix.yaml or `expect[0]` in the program's file. */
  readonly source: string;
}

/**
 * Finds what is expected of a cell: the first exception of matrix.yaml that applies, else the first expectation of the
 * program. Undefined if none does, which makes the cell red: every cell must be covered.
 */
export function findExpectation(
  program: Program,
  exceptions: readonly MatrixException[],
  situation: CellSituation,
): AppliedExpectation | undefined {
  const exception = exceptions.findIndex((candidate) => {
    const { program: name = program.name, when } = candidate;
    return name === program.name && conditionHolds(when, situation);
  });
  const excepted = exceptions[exception];
  if (excepted !== undefined) {
    return {
      outcome: excepted.outcome,
      externs: {},
      reason: excepted.reason,
      source: `matrix.yaml exceptions[${exception}]`,
    };
  }
  const index = program.expect.findIndex((candidate) => conditionHolds(candidate.when ?? {}, situation));
  const expected = program.expect[index];
  if (expected === undefined) return undefined;
  const { outcome, externs = {}, reason } = expected;
  return { outcome, externs, reason, source: `programs/${program.name}.yaml expect[${index}]` };
}

/** Whether everything that a condition names holds. A fact that is not known does not hold. */
export function conditionHolds(condition: Condition, situation: CellSituation): boolean {
  const { kernel, variant, ...facts } = condition;
  if (kernel !== undefined && !isInRange(situation.version, parseVersionRange(kernel))) return false;
  if (variant !== undefined && ![variant].flat().includes(situation.variant)) return false;
  return Object.entries(facts).every(
    ([name, wanted]) => wanted === undefined || (!isList(wanted) && factHolds(situation.facts[name], wanted)),
  );
}

function isList(wanted: NonNullable<Condition[string]>): wanted is readonly string[] {
  return Array.isArray(wanted);
}

/** A verdict with the reason for it, in one or two sentences. */
export interface Judgement {
  readonly verdict: Verdict;
  readonly why: string;
}

/** Holds an outcome against what was expected. */
export function judge(outcome: Outcome, expected: AppliedExpectation | undefined): Judgement {
  if (outcome.class === 'infra') return { verdict: 'infra', why: outcome.message };
  if (expected === undefined) {
    const verdict = outcome.class === 'ok' ? 'fail' : unexpectedFailure(outcome);
    return { verdict, why: `no expectation covers this cell; what happened: ${outcome.message}` };
  }
  const works = outcome.class === 'ok';
  if (expected.outcome === 'works') {
    if (!works) return { verdict: unexpectedFailure(outcome), why: outcome.message };
  } else if (works) {
    return {
      verdict: 'xpass',
      why: `works, but ${describeExpected(expected.outcome)} was expected (${expected.source}): ${expected.reason}`,
    };
  } else {
    const differences = compareFailure(outcome, expected.outcome);
    if (differences.length > 0) {
      return {
        verdict: unexpectedFailure(outcome),
        why: `${outcome.message.replace(/\.$/, '')}; expected ${differences.join(' and ')}`,
      };
    }
  }
  const externs = compareExterns(outcome, expected);
  if (externs.length > 0) return { verdict: 'fail', why: externs.join('; ') };
  return works
    ? { verdict: 'pass', why: expected.reason }
    : { verdict: 'xfail', why: `${outcome.message} — ${expected.reason}` };
}

/** The verdict of a failure that was not expected: `fail`, or what became of the machine. */
export function unexpectedFailure(outcome: Outcome): Verdict {
  return LOST_MACHINES.get(outcome.class) ?? 'fail';
}

/** Classes that say that a machine crashed, or that nothing moved any more. */
const LOST_MACHINES: ReadonlyMap<Outcome['class'], Verdict> = new Map<Outcome['class'], Verdict>([
  ['kernel-panic', 'panic'],
  ['kernel-oops', 'panic'],
  ['machine-ended', 'panic'],
  ['kernel-lockup', 'timeout'],
  ['kernel-hung-task', 'timeout'],
  ['agent-hung', 'timeout'],
  ['vm-silent', 'timeout'],
]);

/** In what a failure is not the one that was expected, in words; empty if it is. */
export function compareFailure(outcome: Outcome, expected: ExpectedFailure): string[] {
  const differences: string[] = [];
  if (outcome.phase !== expected.phase || outcome.class !== expected.class) {
    differences.push(`${describeExpected(expected)}, but it was ${outcome.class} in phase ${outcome.phase}`);
  }
  if (expected.errno !== undefined && outcome.errno !== expected.errno) {
    differences.push(`errno ${expected.errno}, but it was ${outcome.errno ?? 'none'}`);
  }
  if (expected.extern !== undefined && outcome.extern !== expected.extern) {
    differences.push(`extern ${expected.extern}, but it was ${outcome.extern ?? 'none'}`);
  }
  const texts = expected.log === undefined ? [] : [expected.log].flat();
  for (const text of texts) {
    if (!(outcome.verifierLog ?? '').includes(text))
      differences.push(`"${text}" in the verifier log, but it is not there`);
  }
  return differences;
}

function compareExterns(outcome: Outcome, expected: AppliedExpectation): string[] {
  return Object.entries(expected.externs).flatMap(([name, wanted]) => {
    const found = outcome.resolutions.find((resolution) => resolution.name === name);
    if (found === undefined)
      return [`extern ${name} was expected to resolve to ${wanted}, but the object has no such extern`];
    const { result } = found.outcome;
    return result === wanted
      ? []
      : [`extern ${name} was expected to resolve to ${wanted}, but it resolved to ${result}`];
  });
}

/** An expected failure in a few words. */
export function describeExpected(expected: ExpectedFailure): string {
  return `${expected.class} in phase ${expected.phase}`;
}
