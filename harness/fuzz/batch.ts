import fc from 'fast-check';
import { mutate } from './mutation.ts';
import { batchSeed, type Plan, plans } from './plan.ts';
import type { Seed, Target, Violation } from './target.ts';
import { tryInput } from './try-input.ts';

/** A run of inputs for one target. */
export interface Batch {
  readonly target: string;
  /** Seed of the whole run. */
  readonly seed: number;
  /** Counts the target's batches from 0. */
  readonly batch: number;
  readonly inputs: number;
}

/** A defect, with the smallest input that was found to show it. */
export interface Finding {
  readonly target: string;
  readonly kind: string;
  /** Findings with the same key are taken for one defect. */
  readonly key: string;
  readonly message: string;
  readonly stack: string;
  /** Name of the seed that {@link Finding.plan} mutates. */
  readonly seed: string;
  readonly plan: Plan;
  readonly input: Uint8Array;
}

/** What came of a batch. */
export interface BatchResult {
  /** Inputs that were tried, those that served to make a finding smaller not counted. */
  readonly inputs: number;
  readonly accepted: number;
  readonly slowestMs: number;
  readonly findings: readonly Finding[];
}

/** For whoever watches from another thread, so that an input that never ends can be named. */
export interface BatchWatch {
  /** Before each input. Its number counts from the start of the batch; those that make a finding smaller have none. */
  readonly starting: (index: number | null, plan: Plan) => void;
}

/** A finding is made smaller with this many further inputs at most, and for this long. */
const MOST_SHRINKS = 400;
const MOST_SHRINK_MS = 20_000;

/**
 * Runs a batch. A finding whose key is in `known` is passed over; new ones are added to it. Of one batch at most one finding is made smaller, and
 * the rest of the batch is not run then: the next one is.
 */
export function runBatch(batch: Batch, target: Target, known: Set<string>, watch: BatchWatch): BatchResult {
  let inputs = 0;
  let accepted = 0;
  let slowestMs = 0;
  let shrinks = 0;
  let foundAt = 0;
  let smallest: { plan: Plan; violation: Violation } | undefined;
  const property = fc.property(plans, (plan) => {
    if (smallest !== undefined && (++shrinks > MOST_SHRINKS || performance.now() - foundAt > MOST_SHRINK_MS))
      return true;
    watch.starting(smallest === undefined ? inputs : null, plan);
    const tried = tryInput(target, inputOf(plan, target).bytes);
    if (smallest === undefined) {
      inputs++;
      if (tried.accepted) accepted++;
      if (tried.violation === undefined) slowestMs = Math.max(slowestMs, tried.milliseconds);
    }
    const { violation } = tried;
    if (violation === undefined || known.has(keyOf(target.name, violation))) return true;
    // While it is made smaller it must stay the same defect.
    if (smallest !== undefined && keyOf(target.name, smallest.violation) !== keyOf(target.name, violation)) return true;
    if (smallest === undefined) foundAt = performance.now();
    smallest = { plan, violation };
    return false;
  });
  const seed = batchSeed(batch.seed, batch.target, batch.batch);
  fc.check(property, { seed, numRuns: batch.inputs });
  const findings = smallest === undefined ? [] : [findingOf(target, smallest.plan, smallest.violation)];
  for (const { key } of findings) known.add(key);
  return { inputs, accepted, slowestMs, findings };
}

/** Tries one input, without making it smaller. */
export function runOne(plan: Plan, target: Target, known: Set<string>): BatchResult {
  const { violation, accepted, milliseconds } = tryInput(target, inputOf(plan, target).bytes);
  const finding = violation === undefined ? undefined : findingOf(target, plan, violation);
  const findings = finding === undefined || known.has(finding.key) ? [] : [finding];
  for (const { key } of findings) known.add(key);
  return { inputs: 1, accepted: accepted ? 1 : 0, slowestMs: violation === undefined ? milliseconds : 0, findings };
}

/** The seed that a plan starts from, and the bytes that it comes to. */
export function inputOf(plan: Plan, target: Target): { seed: Seed; bytes: Uint8Array } {
  const seed = target.seeds[plan.seed % target.seeds.length];
  if (seed === undefined)
    return { seed: { name: 'nothing', bytes: new Uint8Array(), fields: [] }, bytes: new Uint8Array() };
  const donors = target.seeds.map((one) => one.bytes);
  return { seed, bytes: mutate({ ...seed, donors, words: target.words }, plan.mutations) };
}

/** A finding as it is reported. */
export function findingOf(target: Target, plan: Plan, violation: Violation): Finding {
  const { seed, bytes } = inputOf(plan, target);
  const cause = violation.cause instanceof Error ? violation.cause : violation;
  const { kind, message } = violation;
  const stack = cause.stack ?? message;
  return {
    target: target.name,
    kind,
    key: keyOf(target.name, violation),
    message,
    stack,
    seed: seed.name,
    plan,
    input: bytes,
  };
}

/** Target, kind, and for a foreign error its type and the first place in the library that it came through. */
function keyOf(target: string, violation: Violation): string {
  const { cause, kind } = violation;
  if (!(cause instanceof Error)) return `${target}/${kind}`;
  const place = /\(?[^\s(]*\/(loader\/[^)]*?:\d+):\d+\)?/.exec(cause.stack ?? '')?.[1] ?? '';
  return `${target}/${kind}/${cause.name}/${place}`;
}
