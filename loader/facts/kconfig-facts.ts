import type { AgentConnection } from '../agent/connection.ts';
import { writeInstruction } from '../insn/instruction.ts';
import { CALL, SLOT_SIZE } from '../insn/opcodes.ts';
import { PROGRAM_TYPES } from '../object/program-types.ts';
import type { ObjectContent } from '../object/spec.ts';
import { programLoadAttr } from '../programs/attr-program.ts';
import type { KconfigFacts } from '../resolve/kconfig.ts';
import { KernelConfig } from '../resolve/kernel-config.ts';
import { kernelVersionCode } from '../resolve/kernel-version.ts';
import type { KernelFacts } from '../resolve/outcome.ts';
import { cstring } from '../syscall/attr.ts';
import { BpfCommand, bpf, closeAll, liftMemoryLimit } from '../syscall/bpf.ts';
import { readKallsyms } from './fact-files.ts';
import { kernelConfigPaths, readIfThere, readKernelConfig } from './kernel-config.ts';

/**
 * Reads what the `__kconfig` externs of an object ask for, and nothing else.
 * @param own lines of a configuration that go before the kernel's
 * @throws AgentError; FormatError for a damaged configuration
 */
export async function readKconfigFacts(
  agent: AgentConnection,
  spec: ObjectContent,
  facts: KernelFacts,
  own = '',
): Promise<KconfigFacts> {
  const names = (spec.kconfig ?? []).map(({ name }) => name);
  const ownConfig = KernelConfig.parse(own, 'the load option kconfig');
  const asked = names.some((name) => name.startsWith('CONFIG_') && ownConfig.get(name) === undefined);
  const kernel = asked ? (facts.kernelConfig ?? (await readKernelConfig(agent))) : null;
  return {
    configs: [...(own === '' ? [] : [ownConfig]), ...(kernel === null ? [] : [kernel])],
    missingConfigs: asked && kernel === null ? kernelConfigPaths(agent.hello.release) : [],
    version: names.includes('LINUX_KERNEL_VERSION') ? await readVersion(agent) : null,
    bpfCookie: names.includes('LINUX_HAS_BPF_COOKIE') ? await probeAttachCookie(agent) : null,
    syscallWrapper: names.includes('LINUX_HAS_SYSCALL_WRAPPER') ? await hasSyscallWrapper(agent, facts) : null,
  };
}

async function readVersion(agent: AgentConnection): Promise<number | null> {
  const text = async (path: string): Promise<string> =>
    new TextDecoder().decode((await readIfThere(agent, path)) ?? new Uint8Array());
  const [signature, version] = [await text('/proc/version_signature'), await text('/proc/version')];
  return kernelVersionCode({ release: agent.hello.release, version, signature });
}

/** enum bpf_func_id, include/uapi/linux/bpf.h (5.15). */
const GET_ATTACH_COOKIE = 174;

/** Whether a tracepoint program may call bpf_get_attach_cookie(): loads one that does (probe_kern_bpf_cookie in libbpf's src/features.c). */
async function probeAttachCookie(agent: AgentConnection): Promise<boolean> {
  await liftMemoryLimit(agent);
  const code = new Uint8Array(2 * SLOT_SIZE);
  writeInstruction(code, 0, { opcode: CALL, dst: 0, src: 0, offset: 0, imm: GET_ATTACH_COOKIE });
  writeInstruction(code, 1, { opcode: 0x95, dst: 0, src: 0, offset: 0, imm: 0 });
  const attr = programLoadAttr({ type: PROGRAM_TYPES.tracepoint, code, license: cstring('GPL'), name: 'probe' });
  const { value, errno } = await bpf(agent, BpfCommand.programLoad, attr);
  if (errno === 0) await closeAll(agent, [value]);
  return errno === 0;
}

/** The function behind bpf(2) bears the prefix where all do (arch_specific_syscall_pfx in libbpf's src/libbpf.c). */
async function hasSyscallWrapper(agent: AgentConnection, facts: KernelFacts): Promise<boolean> {
  const prefix = agent.hello.machine === 'aarch64' ? 'arm64' : 'x64';
  const name = `__${prefix}_sys_bpf`;
  if (facts.vmlinuxBtf?.find(name, 'func') !== undefined) return true;
  const kallsyms = facts.kallsyms ?? (await readKallsyms(agent));
  return (kallsyms?.find(name).length ?? 0) > 0;
}
