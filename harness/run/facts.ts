import { readFile } from 'node:fs/promises';
import { AgentError } from '../../loader/agent/agent-error.ts';
import type { AgentConnection } from '../../loader/agent/connection.ts';
import type { Btf } from '../../loader/btf/btf.ts';
import type { BtfKind } from '../../loader/btf/types.ts';
import { readKernelFacts } from '../../loader/load/kernel-facts.ts';
import type { KernelFacts } from '../../loader/resolve/outcome.ts';
import { KERNEL_OPTIONS, SYSCTLS } from '../config/fact-registry.ts';

/** Facts of a running kernel by dotted name, as expectations and reports use them. docs/matrix-yaml.md lists them. */
export type FactValues = Readonly<Record<string, string | number | boolean>>;

/** What one boot of a kernel is like. */
export interface GuestFacts {
  /** For the loader. */
  readonly kernel: KernelFacts;
  /** For expectations and reports. */
  readonly values: FactValues;
}

/**
 * Reads the facts of the kernel at the other end of the connection, but for its configuration, which is a file of the host.
 * @throws AgentError, FormatError
 */
export async function readGuestFacts(agent: AgentConnection): Promise<GuestFacts> {
  const kernel = await readKernelFacts(agent);
  const values: Record<string, string | number | boolean> = {
    release: agent.hello.release,
    machine: agent.hello.machine,
    cpus: agent.hello.cpus,
    'kallsyms.readable': kernel.kallsyms !== null,
    'kallsyms.symbols': kernel.kallsyms?.count ?? 0,
    'kallsyms.restricted': kernel.kallsyms?.restricted ?? true,
    ...(kernel.btfIdLoads === null ? {} : { 'probe.btf-id-loads': kernel.btfIdLoads }),
    ...btfFacts(kernel.vmlinuxBtf),
    'btf.modules': kernel.moduleBtfs.length,
    lockdown: await readLockdown(agent),
  };
  for (const name of SYSCTLS) {
    const text = await readText(agent, sysctlPath(name));
    if (text !== undefined) values[`sysctl.${name}`] = Number(text);
  }
  return { kernel, values };
}

/** `/proc/sys/kernel/kptr_restrict` for `kernel.kptr_restrict`. */
export function sysctlPath(name: string): string {
  return `/proc/sys/${name.includes('/') ? name : name.replaceAll('.', '/')}`;
}

/** A small file of the guest as text without the final newline; undefined if it is not there. Throws AgentError if the machine does not answer. */
export async function readText(agent: AgentConnection, path: string): Promise<string | undefined> {
  try {
    return new TextDecoder().decode(await agent.readFile(path)).trimEnd();
  } catch (error) {
    if (error instanceof AgentError && error.code === 'agent-call-failed') return undefined;
    throw error;
  }
}

function btfFacts(btf: Btf | null): Record<string, string | number | boolean> {
  const count = (kind: BtfKind): number => btf?.count(kind) ?? 0;
  return {
    'btf.present': btf !== null,
    'btf.bytes': btf?.bytes.length ?? 0,
    'btf.types': btf === null ? 0 : btf.endId - btf.firstId,
    'btf.vars': count('var'),
    'btf.datasecs': count('datasec'),
    'btf.funcs': count('func'),
  };
}

/** The mode in brackets of `[none] integrity confidentiality`. */
async function readLockdown(agent: AgentConnection): Promise<string> {
  const text = await readText(agent, '/sys/kernel/security/lockdown');
  return /\[(\w+)\]/.exec(text ?? '')?.[1] ?? 'absent';
}

/**
 * Facts from a kernel's configuration on the host (Debian's kernels have no /proc/config.gz); none if there is no such file.
 * @throws Node's error if it cannot be read
 */
export async function configFacts(path: string | null): Promise<FactValues> {
  if (path === null) return {};
  const set = new Map<string, string>();
  for (const line of (await readFile(path, 'utf8')).split('\n')) {
    const match = /^CONFIG_(\w+)=(.*)$/.exec(line);
    if (match?.[1] !== undefined && match[2] !== undefined) set.set(match[1], match[2].replace(/^"(.*)"$/, '$1'));
  }
  return Object.fromEntries(KERNEL_OPTIONS.map((name) => [`config.${name}`, set.get(name) ?? 'n']));
}
