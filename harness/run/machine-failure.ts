import { AgentError } from '../../loader/agent/agent-error.ts';
import type { ExplainedError } from '../../loader/errors.ts';
import type { MachineError } from '../vm/errors.ts';
import type { Outcome } from './outcome.ts';

/** The outcome of a cell whose machine did not come up, or was lost while the cell ran. */
export function describeMachineFailure(error: MachineError): Outcome {
  const phase = error.phase === 'boot' ? 'boot' : 'run';
  const message = error.explain();
  switch (error.code) {
    case 'kernel-panic':
    case 'kernel-oops':
    case 'vm-silent':
      return { phase, class: error.code, message, resolutions: [] };
    case 'boot-timeout':
      return { phase, class: 'vm-silent', message, resolutions: [] };
    default:
      return { ...infra(message), phase };
  }
}

/** Whether a machine is of no more use after this outcome. After a fault of ours nobody knows what state it is in: a sysctl may not be what it was. */
export function endsMachine(outcome: Outcome): boolean {
  return ['kernel-panic', 'kernel-oops', 'vm-silent', 'infra'].includes(outcome.class);
}

/** Whether the agent cannot be asked any more; it may as well have answered that one call failed. */
export function isConnectionLost(error: ExplainedError): boolean {
  return error instanceof AgentError && error.code !== 'agent-call-failed' && error.code !== 'agent-refused';
}

/** A fault of the harness or the host. */
export function infra(message: string): Outcome {
  return { phase: 'run', class: 'infra', message, resolutions: [] };
}
