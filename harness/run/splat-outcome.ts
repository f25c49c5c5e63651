import type { ConsoleSplat } from '../vm/splats.ts';
import type { Outcome } from './outcome.ts';

/**
 * The outcome of a cell during which the kernel complained on its console. A complaint that no rule allows is a finding of its own,
 * whatever the program did; one that is allowed is only kept as evidence.
 */
export function withSplats(outcome: Outcome, splats: readonly ConsoleSplat[]): Outcome {
  const [first] = splats.filter((splat) => splat.allowed === null);
  // A machine's end says more than what led to it.
  if (first === undefined || outcome.phase === 'boot' || MACHINE_ENDS.has(outcome.class)) return outcome;
  const { resolutions, verifierLog, values } = outcome;
  return {
    phase: 'run',
    class: 'kernel-splat',
    message: `the kernel complained while this ran (${first.rule}): ${first.text}; without that: ${outcome.message}`,
    resolutions,
    ...(verifierLog === undefined ? {} : { verifierLog }),
    ...(values === undefined ? {} : { values }),
  };
}

const MACHINE_ENDS: ReadonlySet<string> = new Set(['kernel-panic', 'kernel-oops', 'vm-silent', 'infra']);
