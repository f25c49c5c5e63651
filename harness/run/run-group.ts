import { AgentError } from '../../loader/agent/agent-error.ts';
import type { AgentConnection } from '../../loader/agent/connection.ts';
import { ExplainedError } from '../../loader/errors.ts';
import { readKallsyms } from '../../loader/load/kernel-facts.ts';
import { MachineError } from '../vm/errors.ts';
import type { Machine } from '../vm/machine.ts';
import { type CellContext, runCell } from './cell.ts';
import type { CompiledProgram } from './compile.ts';
import { type GuestFacts, readGuestFacts } from './facts.ts';
import type { Outcome } from './outcome.ts';
import type { BootGroup, Cell } from './select.ts';
import { applySettings } from './settings.ts';

/** What a group needs from the run around it. */
export interface GroupHost {
  /** Starts a machine for the group; each call is one boot. */
  readonly boot: () => Promise<Machine>;
  readonly compiled: ReadonlyMap<string, CompiledProgram>;
  /** Called after each boot with what the kernel is like. */
  readonly onFacts: (facts: GuestFacts) => void;
  readonly onOutcome: (
    cell: Cell,
    outcome: Outcome,
    facts: GuestFacts | null,
    durationMs: number,
    console: string | null,
  ) => Promise<void>;
  /** Something that the user should know. */
  readonly onWarning?: (text: string) => void;
  readonly signal: AbortSignal;
}

/**
 * Runs the cells of a group on one machine, one after the other. A machine that crashes or falls silent is charged to the
 * cell that was running; the rest go on in a new one.
 */
export async function runGroup(group: BootGroup, host: GroupHost): Promise<void> {
  const waiting: Cell[] = [];
  for (const cell of group.cells) {
    const failure = host.compiled.get(cell.program.name)?.failure;
    if (failure === undefined) waiting.push(cell);
    else await host.onOutcome(cell, failure, null, 0, null);
  }
  while (waiting.length > 0 && !host.signal.aborted) {
    let machine: Machine;
    try {
      machine = await host.boot();
    } catch (error) {
      if (host.signal.aborted) return;
      if (!(error instanceof MachineError)) throw error;
      for (const cell of waiting) await host.onOutcome(cell, describeMachineFailure(error), null, 0, null);
      return;
    }
    try {
      await runOnMachine(machine, waiting, host);
    } finally {
      await machine.close();
      const { fileError, path } = machine.console;
      if (fileError !== undefined) host.onWarning?.(`${path} is incomplete: ${fileError.message}`);
    }
  }
}

/** Takes cells off the front of `waiting` until none is left or the machine is spoilt. */
async function runOnMachine(machine: Machine, waiting: Cell[], host: GroupHost): Promise<void> {
  const console = machine.console.path;
  let facts: GuestFacts | null = null;
  while (waiting.length > 0 && !host.signal.aborted) {
    const [cell] = waiting;
    if (cell === undefined) return;
    const started = performance.now();
    let outcome: Outcome;
    try {
      if (facts === null) {
        facts = await readGuestFacts(machine.agent, cell.kernel.kernel.config);
        host.onFacts(facts);
      }
      outcome = await runWithSettings(cell, machine.agent, facts, host);
    } catch (error) {
      if (host.signal.aborted) return;
      if (!(error instanceof ExplainedError)) throw error;
      // A request that failed while the machine is well is the harness's fault, such as a check whose truth cannot be had.
      outcome =
        isConnectionLost(error) || machine.spoilt
          ? describeMachineFailure(await machine.diagnose(error))
          : infra(error.explain());
    }
    if (outcome.phase !== 'boot' && machine.console.crash !== undefined) {
      outcome = describeMachineFailure(await machine.diagnose(undefined));
    }
    waiting.shift();
    await host.onOutcome(cell, outcome, facts, performance.now() - started, console);
    // After a fault of ours nobody knows what state the machine is in: a sysctl may not be what it was.
    if (machine.spoilt || isMachineFailure(outcome) || outcome.class === 'infra') return;
  }
}

async function runWithSettings(
  cell: Cell,
  agent: AgentConnection,
  facts: GuestFacts,
  host: GroupHost,
): Promise<Outcome> {
  const spec = host.compiled.get(cell.program.name)?.spec;
  if (spec === undefined || spec === null) return infra(`${cell.program.name} has no object`);
  const situation = { version: cell.kernel.version, variant: cell.variant.name, facts: facts.values };
  const context: CellContext = { agent, kernel: facts.kernel, kallsyms: facts.kernel.kallsyms, situation };
  if (Object.keys(cell.variant.sysctl).length === 0) return runCell(cell.program, spec, context);
  const restore = await applySettings(agent, cell.variant.sysctl);
  try {
    // A setting such as kptr_restrict changes what the loader can read.
    const kallsyms = await readKallsyms(agent);
    return await runCell(cell.program, spec, { ...context, kernel: { ...facts.kernel, kallsyms } });
  } finally {
    await restore();
  }
}

function describeMachineFailure(error: MachineError): Outcome {
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

function isMachineFailure(outcome: Outcome): boolean {
  return ['kernel-panic', 'kernel-oops', 'vm-silent'].includes(outcome.class);
}

/** Whether the agent cannot be asked any more; it may as well have answered that one call failed. */
function isConnectionLost(error: ExplainedError): boolean {
  return error instanceof AgentError && error.code !== 'agent-call-failed' && error.code !== 'agent-refused';
}

function infra(message: string): Outcome {
  return { phase: 'run', class: 'infra', message, resolutions: [] };
}
