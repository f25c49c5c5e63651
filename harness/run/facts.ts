import { AgentError } from '../../loader/agent/agent-error.ts';
import type { AgentConnection } from '../../loader/agent/connection.ts';
import { readKernelFacts } from '../../loader/facts/kernel-facts.ts';
import type { Kallsyms } from '../../loader/resolve/kallsyms.ts';
import type { KernelFacts } from '../../loader/resolve/outcome.ts';
import { SYSCTLS } from '../config/fact-registry.ts';
import { btfFacts } from './btf-facts.ts';
import { guestConfigFacts } from './config-facts.ts';
import { probeKernel } from './probes.ts';

/** Facts of a running kernel by dotted name, as expectations and reports use them. harness/config/fact-registry.ts has all names. */
export type FactValues = Readonly<Record<string, string | number | boolean>>;

/** What one boot of a kernel is like. */
export interface GuestFacts {
  /** For the loader. */
  readonly kernel: KernelFacts;
  /** For expectations and reports. */
  readonly values: FactValues;
}

/**
 * Reads the facts of the kernel at the other end of the connection. Its configuration is among them only if it holds that itself: mostly
 * it is a file of the host ({@link configFacts}).
 * @throws AgentError, FormatError
 */
export async function readGuestFacts(agent: AgentConnection): Promise<GuestFacts> {
  const kernel = await readKernelFacts(agent);
  const probes = Object.entries(await probeKernel(agent, kernel));
  const values: Record<string, string | number | boolean> = {
    release: agent.hello.release,
    machine: agent.hello.machine,
    cpus: agent.hello.cpus,
    ...describeBuild((await readText(agent, '/proc/version')) ?? ''),
    'modules.loaded': ((await readText(agent, '/proc/modules')) ?? '').split('\n').filter((line) => line !== '').length,
    ...btfFacts(kernel.vmlinuxBtf),
    'btf.modules': kernel.moduleBtfs.length,
    ...kallsymsFacts(kernel.kallsyms),
    lockdown: await readLockdown(agent),
    lsm: (await readText(agent, '/sys/kernel/security/lsm')) ?? 'absent',
    ...(await guestConfigFacts(agent)),
  };
  for (const [name, answer] of probes) if (answer !== null) values[`probe.${name}`] = answer;
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

/** `Linux version RELEASE (who@where) (COMPILER …, LINKER …) BUILD` (linux_proc_banner, init/version.c). */
export function describeBuild(version: string): FactValues {
  const build = /(#\d+ .*)$/m.exec(version)?.[1];
  // The compiler's own version comes last in its words: "gcc-10 (Debian 10.2.1-6) 10.2.1 20210110".
  const words = /\) \((.*), [^,]*\b(?:ld|LLD)\b/.exec(version)?.[1] ?? '';
  const number = /(?:^|[ )])(?:version )?(\d+\.\d+\.\d+)/.exec(words.replace(/\([^()]*\)/g, ''))?.[1];
  const family = /clang|gcc/.exec(words)?.[0];
  return {
    ...(build === undefined ? {} : { build }),
    ...(family === undefined || number === undefined ? {} : { compiler: `${family} ${number}` }),
  };
}

function kallsymsFacts(kallsyms: Kallsyms | null): FactValues {
  const text = kallsyms === null ? '' : Buffer.from(kallsyms.bytes).toString('latin1');
  return {
    'kallsyms.readable': kallsyms !== null,
    'kallsyms.symbols': kallsyms?.count ?? 0,
    'kallsyms.module-symbols': text.match(/\]$/gm)?.length ?? 0,
    // Without CONFIG_KALLSYMS_ALL scripts/kallsyms keeps what lies in sections of code. Modules list their data in any case.
    'kallsyms.all': /^\w+ [dDbB] [^\t\n]+$/m.test(text),
    'kallsyms.restricted': kallsyms?.restricted ?? true,
  };
}

/** The mode in brackets of `[none] integrity confidentiality`. */
async function readLockdown(agent: AgentConnection): Promise<string> {
  const text = await readText(agent, '/sys/kernel/security/lockdown');
  return /\[(\w+)\]/.exec(text ?? '')?.[1] ?? 'absent';
}
