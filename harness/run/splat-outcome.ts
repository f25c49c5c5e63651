import type { FailureClass } from '../config/schema.ts';
import type { SplatKind } from '../vm/splat-rules.ts';
import type { ConsoleSplat } from '../vm/splats.ts';
import { endsMachine } from './machine-failure.ts';
import type { Outcome } from './outcome.ts';

/** Splats that have a class of their own; the others are `kernel-splat`. */
const CLASSES: Partial<Readonly<Record<SplatKind, FailureClass>>> = {
  'hung-task': 'kernel-hung-task',
  'out-of-memory': 'guest-out-of-memory',
};

/**
 * The outcome of a cell during which the kernel complained on its console. A complaint that no rule allows is a finding of its own,
 * whatever the program did; one that is allowed is only kept as evidence.
 */
export function withSplats(outcome: Outcome, splats: readonly ConsoleSplat[]): Outcome {
  const [first] = splats.filter((splat) => splat.allowed === null);
  // A machine's end says more than what led to it.
  if (first === undefined || outcome.phase === 'boot' || endsMachine(outcome)) return outcome;
  const { resolutions, externs, printed, verifierLog, values, program } = outcome;
  return {
    phase: 'run',
    class: CLASSES[first.kind] ?? 'kernel-splat',
    message: `the kernel complained while this ran (${first.rule}): ${first.text}; without that: ${outcome.message}`,
    ...(program === undefined ? {} : { program }),
    resolutions,
    ...(externs === undefined ? {} : { externs }),
    ...(printed === undefined ? {} : { printed }),
    ...(verifierLog === undefined ? {} : { verifierLog }),
    ...(values === undefined ? {} : { values }),
  };
}
