import { AgentError } from '../../loader/agent/agent-error.ts';
import type { AgentConnection } from '../../loader/agent/connection.ts';
import { readKallsyms } from '../../loader/load/kernel-facts.ts';
import type { ObjectSpec } from '../../loader/object/spec.ts';
import type { Kallsyms } from '../../loader/resolve/kallsyms.ts';
import { type CellContext, runCell } from './cell.ts';
import type { GuestState } from './guest-observer.ts';
import type { Outcome } from './outcome.ts';
import type { Cell } from './select.ts';
import { applySettings } from './settings.ts';

/** Of /proc/kallsyms under other settings: enough lines to tell how the kernel shows it. The kernel formats nothing more. */
const SAMPLE_BYTES = 4096;

/**
 * Runs a cell under its variant's sysctls, which are put back afterwards.
 * @throws AgentError if the machine does not answer; ExplainedError `sysctl-failed`
 */
export async function runWithSettings(
  cell: Cell,
  spec: ObjectSpec,
  agent: AgentConnection,
  state: GuestState,
): Promise<Outcome> {
  const situation = { version: cell.kernel.version, variant: cell.variant.name, facts: state.values };
  const context: CellContext = { agent, kernel: state.kernel, kallsyms: state.kernel.kallsyms, situation };
  if (Object.keys(cell.variant.sysctl).length === 0) return runCell(cell.program, spec, context);
  const restore = await applySettings(agent, cell.variant.sysctl);
  try {
    const kallsyms = await readKallsymsAgain(agent, state.kernel.kallsyms);
    return await runCell(cell.program, spec, { ...context, kernel: { ...state.kernel, kallsyms } });
  } finally {
    await restore();
  }
}

/**
 * /proc/kallsyms under other settings. A setting such as kptr_restrict changes how the kernel shows the whole file, never which lines it
 * has; formatting 190,000 lines takes an emulated kernel a third of a second, so the first lines are compared with what is known.
 */
async function readKallsymsAgain(agent: AgentConnection, known: Kallsyms | null): Promise<Kallsyms | null> {
  if (known === null) return readKallsyms(agent);
  const sample = await readSample(agent);
  const sameAs = (kallsyms: Kallsyms): boolean =>
    sample.length > 0 && Buffer.compare(sample, kallsyms.bytes.subarray(0, sample.length)) === 0;
  const hidden = hiddenCopies.get(known) ?? known.withoutAddresses();
  hiddenCopies.set(known, hidden);
  const [shown, concealed] = [sameAs(known), sameAs(hidden)];
  // Where the first symbols have no address anyway, the sample tells nothing.
  if (shown === concealed) return readKallsyms(agent);
  return shown ? known : hidden;
}

/** Several cells of a kernel want the same one. */
const hiddenCopies = new WeakMap<Kallsyms, Kallsyms>();

/** Empty if the file cannot be read under these settings. */
async function readSample(agent: AgentConnection): Promise<Uint8Array> {
  try {
    return await agent.readFile('/proc/kallsyms', { maxBytes: SAMPLE_BYTES });
  } catch (error) {
    if (error instanceof AgentError && error.code === 'agent-call-failed') return new Uint8Array(0);
    throw error;
  }
}
