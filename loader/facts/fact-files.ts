import { AgentError } from '../agent/agent-error.ts';
import type { AgentConnection } from '../agent/connection.ts';
import { Btf } from '../btf/btf.ts';
import { Kallsyms } from '../resolve/kallsyms.ts';

/** `/proc/kallsyms`, or null if it cannot be read. Throws AgentError, and FormatError for a damaged one. */
export async function readKallsyms(agent: AgentConnection): Promise<Kallsyms | null> {
  const bytes = await readIfPossible(agent, '/proc/kallsyms', FILE_TIMEOUT_MS);
  return bytes === null ? null : Kallsyms.parse(bytes);
}

/** The BTF of vmlinux, or null if the kernel has none (CONFIG_DEBUG_INFO_BTF) or hides it. Throws AgentError, and FormatError for damaged BTF. */
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
