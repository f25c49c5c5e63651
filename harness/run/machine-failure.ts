import type { FailureClass } from '../config/schema.ts';
import type { MachineError, MachineErrorCode } from '../vm/errors.ts';
import type { Outcome } from './outcome.ts';

export { isConnectionLost } from '../vm/diagnose.ts';

/**
 * Faults of a machine that are findings about the kernel and what the cell did to it. Any other is a fault of the harness or the
 * host, from which nothing is learnt about the kernel.
 */
const FINDINGS: ReadonlyMap<MachineErrorCode, FailureClass> = new Map<MachineErrorCode, FailureClass>([
  ['kernel-panic', 'kernel-panic'],
  ['kernel-oops', 'kernel-oops'],
  ['kernel-lockup', 'kernel-lockup'],
  ['kernel-hung-task', 'kernel-hung-task'],
  ['guest-out-of-memory', 'guest-out-of-memory'],
  ['machine-ended', 'machine-ended'],
  ['agent-killed', 'agent-killed'],
  ['agent-hung', 'agent-hung'],
  ['vm-silent', 'vm-silent'],
  ['boot-timeout', 'vm-silent'],
]);

/** Classes after which the machine is not used again. Those that the console alone tells of are among them: who knows what the next cell would meet. */
const ENDING: ReadonlySet<Outcome['class']> = new Set([...FINDINGS.values(), 'kernel-splat', 'infra']);

/** The outcome of a cell whose machine did not come up, or was lost while the cell ran. */
export function describeMachineFailure(error: MachineError): Outcome {
  const phase = error.phase === 'boot' ? 'boot' : 'run';
  const message = error.explain();
  const finding = FINDINGS.get(error.code);
  if (finding !== undefined) return { phase, class: finding, message, resolutions: [] };
  return { ...infra(message), phase, fault: error.code };
}

/** Whether a machine is of no more use after this outcome. After a fault of ours nobody knows what state it is in: a sysctl may not be what it was. */
export function endsMachine(outcome: Outcome): boolean {
  return ENDING.has(outcome.class);
}

/** A fault of the harness or the host. */
export function infra(message: string): Outcome {
  return { phase: 'run', class: 'infra', message, resolutions: [] };
}
