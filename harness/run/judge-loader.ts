import type { ExternResolution } from '../../loader/resolve/outcome.ts';
import type { DifferentOutcome } from '../config/difference-schema.ts';
import type { Program } from '../config/load.ts';
import type { ExpectedFailure, FailureClass, MatrixException } from '../config/schema.ts';
import type { KnownDifference } from '../loaders/differences.ts';
import { answerKind } from '../results/answer-kinds.ts';
import { nullAtZero } from '../results/extern-values.ts';
import { compareWithRules } from './extern-agreement.ts';
import { findDifference, type LoaderSituation } from './known-differences.ts';
import type { Outcome } from './outcome.ts';
import {
  type AppliedExpectation,
  compareFailure,
  describeExpected,
  findExpectation,
  type Judgement,
  unexpectedFailure,
} from './verdict.ts';

/** What is expected of a cell of another loader. */
export interface LoaderExpectation extends Omit<AppliedExpectation, 'outcome'> {
  readonly outcome: DifferentOutcome;
  /** The known difference that it is from; absent if it is what is expected of the program with any loader. */
  readonly difference?: KnownDifference;
}

/**
 * Finds what is expected of a cell of another loader: the first known difference that it falls under, else what is expected of the program, exceptions
 * of the matrix included. Undefined if nothing covers the cell.
 */
export function findLoaderExpectation(
  program: Program,
  exceptions: readonly MatrixException[],
  differences: readonly KnownDifference[],
  situation: LoaderSituation,
): LoaderExpectation | undefined {
  const difference = findDifference(differences, situation);
  if (difference === undefined) return findExpectation(program, exceptions, situation);
  const { id, outcome, what, why } = difference;
  return { outcome, externs: {}, reason: `${what} ${why}`, source: differenceSource(id), difference };
}

/** How results name a known difference as the source of an expectation. */
export function differenceSource(id: string): string {
  return `differences: ${id}`;
}

/**
 * Holds the outcome of another loader against what is expected. A known difference is compared exactly; what is expected of the program, which is in our own
 * loader's words, by kinds of answers (answer-kinds.ts), wherever in the loader it happened.
 *
 * @param externs the object's, as our own rules resolve them: a loader may stop at another one of those that cannot be had
 */
export function judgeLoader(
  outcome: Outcome,
  expected: LoaderExpectation | undefined,
  externs: readonly ExternResolution[],
): Judgement {
  if (outcome.class === 'infra') return { verdict: 'infra', why: outcome.message };
  if (expected === undefined) {
    const verdict = outcome.class === 'ok' ? 'fail' : unexpectedFailure(outcome);
    return { verdict, why: `no expectation covers this cell; what happened: ${outcome.message}` };
  }
  const { difference } = expected;
  const known = difference === undefined ? '' : `known difference ${difference.id}`;
  if (outcome.class === 'ok') {
    if (expected.outcome !== 'works') {
      const outdated = difference === undefined ? '' : `; ${known} does not hold here (any more)`;
      const why = `works, but ${describeExpected(expected.outcome)} was expected (${expected.source}): ${expected.reason}${outdated}`;
      return { verdict: 'xpass', why };
    }
    const wrong = [
      ...compareExterns(outcome, expected.externs, externs),
      ...compareWithRules(outcome.externs ?? [], externs, difference),
    ];
    if (wrong.length > 0) return { verdict: 'fail', why: wrong.join('; ') };
    return { verdict: 'pass', why: difference === undefined ? expected.reason : `${known}: ${expected.reason}` };
  }
  const message = outcome.message.replace(/\.$/, '');
  if (expected.outcome === 'works') {
    // What an extern resolves to instead is what a program gets that looks at it.
    if (difference !== undefined && isReadOtherwise(outcome, externs, difference)) {
      return { verdict: 'xfail', why: `${message} — ${known}: ${expected.reason}` };
    }
    const otherwise = difference === undefined ? '' : ` (${known} says that it works)`;
    return { verdict: unexpectedFailure(outcome), why: `${outcome.message}${otherwise}` };
  }
  const differing =
    difference === undefined
      ? compareCoarsely(outcome, expected.outcome, externs)
      : [...compareFailure(outcome, expected.outcome), ...compareWords(outcome, expected.outcome)];
  if (differing.length > 0) {
    const by = difference === undefined ? '' : `, by ${known}`;
    return { verdict: unexpectedFailure(outcome), why: `${message}; expected ${differing.join(' and ')}${by}` };
  }
  const seen = difference?.resolves === undefined ? [] : compareWithRules(outcome.externs ?? [], externs, difference);
  if (seen.length > 0) return { verdict: 'fail', why: `${message}; ${seen.join('; ')}, by ${known}` };
  return { verdict: 'xfail', why: `${message} — ${difference === undefined ? '' : `${known}: `}${expected.reason}` };
}

/** Whether a program got a wrong value, and an extern was seen to resolve to what a known difference says that it does instead. */
function isReadOtherwise(outcome: Outcome, rules: readonly ExternResolution[], difference: KnownDifference): boolean {
  const { externs = [] } = outcome;
  const { resolves } = difference;
  if (resolves === undefined || !['wrong-value', 'wrong-return-value'].includes(outcome.class)) return false;
  const isSeen = externs.some((extern) => nullAtZero(extern) === resolves);
  return isSeen && compareWithRules(externs, rules, difference).length === 0;
}

/** An extern that no instruction refers to any more, in what the loader gave to the kernel, is not known and not compared. */
function compareExterns(
  { externs = [] }: Outcome,
  wanted: AppliedExpectation['externs'],
  rules: readonly ExternResolution[],
): string[] {
  return Object.entries(wanted).flatMap(([name, result]) => {
    const found = externs.find((extern) => extern.name === name);
    if (found === undefined || found.result === result || nullAtZero(found) === result) return [];
    // An instruction that loads 0 does not tell a symbol at address 0 (per-CPU ones before 6.15) from NULL.
    const atZero = rules.some(({ name: own, outcome }) => own === name && isZero(outcome));
    if (atZero && result === 'address' && found.result === 'null') return [];
    return [`extern ${name} was expected to resolve to ${result}, but it resolved to ${found.result}`];
  });
}

function isZero(outcome: ExternResolution['outcome']): boolean {
  return outcome.result === 'address' && outcome.address === 0n;
}

/** What our loader finds out by a probe or a look at kallsyms, in the words of the verifier (check_pseudo_btf_id, kernel/bpf/verifier.c). */
const IN_THE_LOG: Readonly<Partial<Record<FailureClass, string>>> = {
  'ksym-address-unavailable': 'failed to find the address for kernel symbol',
  'kernel-lacks-btf-id-loads': 'ldimm64',
};

/** What is expected is in our own loader's words; other loaders fail at other moments, and tell less or more. */
function compareCoarsely(outcome: Outcome, expected: ExpectedFailure, externs: readonly ExternResolution[]): string[] {
  const found: string[] = [];
  // Only a kernel that has no BTF excuses one that says so: elsewhere it could not read what is there.
  const sawNoBtf = outcome.class === 'btf-missing' && expected.class !== 'btf-missing';
  if (outcome.class === 'infra' || sawNoBtf || answerKind(outcome.class) !== answerKind(expected.class)) {
    found.push(`${describeExpected(expected)}, but it was ${outcome.class} in phase ${outcome.phase}`);
  }
  // An errno of bpf(2) is the kernel's. One of the resolve step is the loader's own.
  const isKernels = expected.phase === 'load' && outcome.phase === 'load' && outcome.errno !== undefined;
  if (isKernels && expected.errno !== undefined && expected.errno !== outcome.errno) {
    found.push(`errno ${expected.errno}, but it was ${outcome.errno}`);
  }
  const { extern } = outcome;
  const isBroken = externs.some(({ name, outcome: { result } }) => name === extern && result === 'error');
  if (expected.extern !== undefined && extern !== undefined && extern !== expected.extern && !isBroken) {
    found.push(`extern ${expected.extern}, but it was ${extern}`);
  }
  const own = outcome.class === expected.class ? undefined : IN_THE_LOG[expected.class];
  const log = outcome.verifierLog ?? '';
  for (const text of [expected.log ?? [], own ?? []].flat()) {
    // A loader that asks for no log has none to look at.
    if (log !== '' && !log.includes(text)) found.push(`"${text}" in the verifier log, but it is not there`);
  }
  return found;
}

function compareWords(outcome: Outcome, { message = [] }: Exclude<DifferentOutcome, 'works'>): string[] {
  const words = `${outcome.message}\n${outcome.printed?.log ?? ''}`;
  return [message]
    .flat()
    .filter((text) => !words.includes(text))
    .map((text) => `"${text}" among the loader's words, but it is not there`);
}
