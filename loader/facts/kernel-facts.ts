import { AgentError } from '../agent/agent-error.ts';
import type { AgentConnection } from '../agent/connection.ts';
import { Btf } from '../btf/btf.ts';
import { Kallsyms } from '../resolve/kallsyms.ts';
import type { KernelFacts } from '../resolve/outcome.ts';
import { probeBtfIdLoads } from './btf-id-probe.ts';
import { readModuleBtfs } from './module-btf.ts';

/** What need not be read, because it is known already: from the boot's first reading, or from a cache beside a saved machine. */
export type KnownFacts = Partial<KernelFacts>;

/**
 * Reads what the resolve step needs to know about the agent's kernel; what is in `known` is taken from there. Things that cannot be
 * read are null or empty, with the reason where {@link KernelFacts} has a place for it. Throws AgentError if the agent does not answer, FormatError for damaged BTF or kallsyms.
 */
export async function readKernelFacts(agent: AgentConnection, known: KnownFacts = {}): Promise<KernelFacts> {
  const kallsyms = known.kallsyms === undefined ? await readKallsyms(agent) : known.kallsyms;
  const vmlinuxBtf = known.vmlinuxBtf === undefined ? await readVmlinuxBtf(agent) : known.vmlinuxBtf;
  const modules =
    known.moduleBtfs === undefined
      ? await readModuleBtfs(agent, vmlinuxBtf)
      : { moduleBtfs: known.moduleBtfs, moduleBtfsUnavailable: known.moduleBtfsUnavailable ?? null };
  const btfIdLoads = known.btfIdLoads === undefined ? await probeBtfIdLoads(agent, vmlinuxBtf) : known.btfIdLoads;
  return { kallsyms, vmlinuxBtf, ...modules, btfIdLoads };
}

/** `/proc/kallsyms`, or null if it cannot be read. */
export async function readKallsyms(agent: AgentConnection): Promise<Kallsyms | null> {
  const bytes = await readIfPossible(agent, '/proc/kallsyms', FILE_TIMEOUT_MS);
  return bytes === null ? null : Kallsyms.parse(bytes);
}

/** The BTF of vmlinux, or null if the kernel has none (CONFIG_DEBUG_INFO_BTF) or hides it. */
export async function readVmlinuxBtf(agent: AgentConnection): Promise<Btf | null> {
  const bytes = await readIfPossible(agent, '/sys/kernel/btf/vmlinux', FILE_TIMEOUT_MS);
  return bytes === null ? null : Btf.parse(bytes, { name: 'vmlinux' });
}

/** Milliseconds for a large file: an emulated kernel formats 190,000 lines of kallsyms in several seconds. */
const FILE_TIMEOUT_MS = 120_000;

async function readIfPossible(agent: AgentConnection, path: string, timeoutMs: number): Promise<Uint8Array | null> {
  try {
    return await agent.readFile(path, { timeoutMs });
  } catch (error) {
    if (error instanceof AgentError && error.code === 'agent-call-failed') return null;
    throw error;
  }
}
