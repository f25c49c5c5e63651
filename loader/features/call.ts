import type { AgentConnection } from '../agent/connection.ts';
import type { Btf } from '../btf/btf.ts';
import { openModuleBtf } from '../facts/module-btf.ts';
import { helperNumber } from '../insn/helpers.ts';
import { CALL, CallSource } from '../insn/opcodes.ts';
import type { ProgramType } from '../object/spec.ts';
import { closeAll } from '../syscall/bpf.ts';
import { assemble, type ProbeAnswer, type ProbeProgram, tryProgram } from './probe-program.ts';
import { type FeatureSupport, inconclusive, inconclusiveErrno, notSupported, supported } from './support.ts';

/** Where functions of the kernel are listed: vmlinux (`module` null) and modules, in this order. */
export type FunctionPlaces = readonly { readonly module: string | null; readonly btf: Btf }[];

/** A function of every kernel that programs may attach to: for types that the verifier looks at only with something to attach to. */
const TARGETS: Partial<Record<ProgramType, readonly string[]>> = {
  tracing: ['bpf_fentry_test1', 'vfs_read', 'schedule'],
  lsm: ['bpf_lsm_file_open'],
};

/**
 * Whether programs of a type may call a helper, by number or name (`bpf_map_lookup_elem`): by loading a program that does nothing else. The verifier
 * first looks whether there is such a helper, and whether for this type, and complains of the arguments after that (check_helper_call, kernel/bpf/verifier.c).
 * The answer is for the agent's rights: without CAP_PERFMON, or under lockdown, some helpers are not there. Throws AgentError.
 */
export async function probeHelper(
  agent: AgentConnection,
  type: ProgramType,
  helper: number | string,
  vmlinux: Btf | null,
): Promise<FeatureSupport> {
  const number = typeof helper === 'number' ? helper : helperNumber(helper);
  if (number === undefined) return notSupported(`there is no helper ${helper}`);
  const target = attachTo(type, vmlinux);
  if (target === null) return inconclusive(`${type} programs are not looked at without something to attach to`);
  const code = assemble([{ opcode: CALL, src: CallSource.HELPER, imm: number }]);
  const answer = await tryProgram(agent, { ...target, type, code });
  return judge(answer, NO_HELPER, type);
}

/** "invalid func unknown#500": no such helper; "unknown func bpf_sys_bpf#166", from 6.13 on "program of this type cannot use helper": not for this type. */
const NO_HELPER = /invalid func |unknown func |program of this type cannot use helper /;

/**
 * Whether programs of a type may call a kernel function: by loading one that does nothing else. Kfuncs are in sets for program types (5.18, before that
 * in lists of each type), and the verifier looks there before it complains of arguments (check_kfunc_call, kernel/bpf/verifier.c). Throws AgentError.
 */
export async function probeKfunc(
  agent: AgentConnection,
  type: ProgramType,
  name: string,
  places: FunctionPlaces,
): Promise<FeatureSupport> {
  const vmlinux = places.find(({ module }) => module === null)?.btf ?? null;
  const place = places.find(({ btf }) => btf.find(name, 'func', { own: true }) !== undefined);
  const id = place?.btf.find(name, 'func', { own: true })?.id;
  if (place === undefined || id === undefined) return notSupported(`the kernel's BTF has no function ${name}`);
  const target = attachTo(type, vmlinux);
  if (target === null) return inconclusive(`${type} programs are not looked at without something to attach to`);
  const fd = place.module === null ? null : await openModuleBtf(agent, place.module);
  const inModule = fd === null ? {} : { fdArray: [0, fd] };
  try {
    const call = { opcode: CALL, src: CallSource.KFUNC, offset: fd === null ? 0 : 1, imm: id };
    const answer = await tryProgram(agent, { ...target, ...inModule, type, code: assemble([call]) });
    return judge(answer, NO_KFUNC, type);
  } finally {
    if (fd !== null) await closeAll(agent, [fd]);
  }
}

const NO_KFUNC =
  /calling kernel function \S+ is not allowed|reserved fields|JIT does not support|not supported without|cannot find address for kernel function|is not a function/;

function attachTo(type: ProgramType, vmlinux: Btf | null): Pick<ProbeProgram, 'attachBtfId'> | null {
  const names = TARGETS[type];
  if (names === undefined) return type === 'ext' || type === 'struct_ops' ? null : {};
  const id = names.map((name) => vmlinux?.find(name, 'func')?.id).find((one) => one !== undefined);
  return id === undefined ? null : { attachBtfId: id };
}

function judge(answer: ProbeAnswer, refusal: RegExp, type: ProgramType): FeatureSupport {
  if (answer.fd !== null) return supported('a program that calls it was loaded');
  const line = answer.log.split('\n').find((one) => refusal.test(one));
  if (line !== undefined) return notSupported(line.trim());
  if (answer.log !== '') return supported('the verifier objects to the arguments only');
  if (answer.errnoName === 'EINVAL') return notSupported(`the kernel has no ${type} programs`);
  return inconclusiveErrno(answer.errno);
}
