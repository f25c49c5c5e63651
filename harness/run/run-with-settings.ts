import { readFile } from 'node:fs/promises';
import { AgentError } from '../../loader/agent/agent-error.ts';
import type { AgentConnection } from '../../loader/agent/connection.ts';
import { ExplainedError } from '../../loader/errors.ts';
import { readKallsyms, readKernelFacts } from '../../loader/facts/kernel-facts.ts';
import { resolveExterns } from '../../loader/resolve/externs.ts';
import type { Kallsyms } from '../../loader/resolve/kallsyms.ts';
import type { KernelFacts } from '../../loader/resolve/outcome.ts';
import type { GuestLoaders } from '../loaders/guest-loaders.ts';
import { runCell } from './cell.ts';
import type { CompiledProgram } from './compile.ts';
import { applyCredentials } from './credentials.ts';
import type { GuestState } from './guest-observer.ts';
import { type GuestLoader, runLoaderCell } from './loader-cell.ts';
import { infra } from './machine-failure.ts';
import type { Outcome } from './outcome.ts';
import type { CheckContext } from './run-programs.ts';
import type { Cell } from './select.ts';
import { SettingError } from './setting-error.ts';
import { applySettings } from './settings.ts';

/** Of /proc/kallsyms under other settings: enough lines to tell how the kernel shows it. The kernel formats nothing more. */
const SAMPLE_BYTES = 4096;

/** What became of a cell, and why its machine cannot be used after it. */
export interface RunUnderSettings {
  readonly outcome: Outcome;
  /** Settings that could not be put back, in words. */
  readonly left: readonly string[];
}

/** What a cell is run with. */
export interface CellRunner {
  /** The object that is loaded. */
  readonly compiled: Pick<CompiledProgram, 'spec' | 'object'>;
  readonly agent: AgentConnection;
  readonly state: GuestState;
  /** The cell's loader with the machine that it is run in; null for our own. */
  readonly other: OtherLoader | null;
}

/** Another loader than ours, in a machine. */
export interface OtherLoader {
  readonly loader: GuestLoader;
  readonly guest: GuestLoaders;
  /** Milliseconds that it has for a cell. */
  readonly timeoutMs: number;
}

/**
 * Runs a cell under its variant's settings, which are put back afterwards. What the loader sees of the kernel is read under them.
 * @throws AgentError if the machine does not answer; ExplainedError for a fault of the harness
 */
export async function runWithSettings(cell: Cell, runner: CellRunner): Promise<RunUnderSettings> {
  const { variant } = cell;
  const { agent, other } = runner;
  const { sysctl } = variant;
  // Another loader is a process of its own: it gets its user and capabilities from the observer that starts it, and the agent stays root.
  const settings = other === null ? variant : { sysctl };
  let restore: () => Promise<void>;
  try {
    restore = await applySettings(agent, settings);
  } catch (error) {
    if (!(error instanceof SettingError)) throw error;
    return { outcome: variantUnavailable(variant.name, error), left: [] };
  }
  const left: string[] = [];
  let outcome: Outcome;
  try {
    outcome = other === null ? await runOurs(cell, runner) : await runOther(cell, runner, other);
  } finally {
    await restore().catch((error: unknown) => {
      if (error instanceof AgentError || !(error instanceof ExplainedError)) throw error;
      left.push(`the settings of ${variant.name} could not be put back: ${error.explain()}`);
    });
  }
  return { outcome, left };
}

async function runOurs(cell: Cell, { compiled, agent, state }: CellRunner): Promise<Outcome> {
  const { spec } = compiled;
  if (spec === null) return infra(`${cell.program.name} has no object`);
  return runCell(cell.program, spec, {
    ...checksOf(cell, agent, state),
    kernel: await kernelUnder(cell, agent, state),
  });
}

/** The kernel as our loader is to see it, under the settings. */
async function kernelUnder({ variant }: Cell, agent: AgentConnection, state: GuestState): Promise<KernelFacts> {
  const isOtherUser = variant.capabilities !== undefined || variant.user !== undefined;
  if (!isOtherUser && Object.keys(variant.sysctl).length === 0) return state.kernel;
  const kallsyms = await readKallsymsAgain(agent, state.kernel.kallsyms);
  // Whether addresses are shown is up to sysctls as well; the rest, to who asks.
  if (!isOtherUser) return { ...state.kernel, kallsyms };
  const { kernelConfig } = state.kernel;
  return readKernelFacts(agent, {
    ...(kernelConfig === undefined ? {} : { kernelConfig }),
    kallsyms,
    vmlinuxBtf: await vmlinuxBtfAgain(agent, state),
  });
}

async function runOther(cell: Cell, runner: CellRunner, { loader, guest, timeoutMs }: OtherLoader): Promise<Outcome> {
  const { compiled, agent, state } = runner;
  const { spec } = compiled;
  const { user, capabilities } = cell.variant;
  const context = { ...checksOf(cell, agent, state), guest, credentials: { user, capabilities }, timeoutMs };
  try {
    const object = { bytes: await readFile(compiled.object), spec };
    const outcome = await runLoaderCell(cell.program, object, loader, context);
    const rules = spec === null ? [] : resolveExterns(spec, await kernelAsUser(cell, agent, state));
    return { ...outcome, rules };
  } catch (error) {
    if (!(error instanceof SettingError)) throw error;
    return variantUnavailable(cell.variant.name, error);
  }
}

/** The kernel as the cell's user sees it, whom the agent is for a moment. The sysctls are set by now. */
async function kernelAsUser(cell: Cell, agent: AgentConnection, state: GuestState): Promise<KernelFacts> {
  const restore = await applyCredentials(agent, cell.variant);
  try {
    return await kernelUnder(cell, agent, state);
  } finally {
    await restore();
  }
}

function checksOf({ kernel, variant }: Cell, agent: AgentConnection, state: GuestState): CheckContext {
  const situation = { version: kernel.version, variant: variant.name, facts: state.values };
  return { agent, kallsyms: state.kernel.kallsyms, situation };
}

function variantUnavailable(name: string, error: SettingError): Outcome {
  const message = `variant ${name}: ${error.explain()}`;
  return { phase: 'boot', class: 'variant-unavailable', message, resolutions: [] };
}

/** The BTF is as long as it was, so it is enough to see whether it may still be read. */
async function vmlinuxBtfAgain(agent: AgentConnection, { kernel }: GuestState): Promise<KernelFacts['vmlinuxBtf']> {
  const sample = await readSample(agent, '/sys/kernel/btf/vmlinux', 1);
  return sample.length === 0 ? null : kernel.vmlinuxBtf;
}

/**
 * /proc/kallsyms under other settings. A setting such as kptr_restrict changes how the kernel shows the whole file, never which lines it
 * has; formatting 190,000 lines takes an emulated kernel a third of a second, so the first lines are compared with what is known.
 */
async function readKallsymsAgain(agent: AgentConnection, known: Kallsyms | null): Promise<Kallsyms | null> {
  if (known === null) return readKallsyms(agent);
  const sample = await readSample(agent, '/proc/kallsyms', SAMPLE_BYTES);
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

/** The beginning of a file; empty if it cannot be read under these settings. */
async function readSample(agent: AgentConnection, path: string, maxBytes: number): Promise<Uint8Array> {
  try {
    return await agent.readFile(path, { maxBytes });
  } catch (error) {
    if (error instanceof AgentError && error.code === 'agent-call-failed') return new Uint8Array(0);
    throw error;
  }
}
