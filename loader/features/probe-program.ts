import type { AgentConnection } from '../agent/connection.ts';
import { errnoName } from '../agent/errno.ts';
import { writeInstruction } from '../insn/instruction.ts';
import { SLOT_SIZE } from '../insn/opcodes.ts';
import { PROGRAM_TYPES } from '../object/program-types.ts';
import type { ProgramType } from '../object/spec.ts';
import { programLoadAttr } from '../programs/attr-program.ts';
import { verifierLogText } from '../programs/verifier-log.ts';
import { cstring, output } from '../syscall/attr.ts';
import { BpfCommand, bpf, closeAll, liftMemoryLimit } from '../syscall/bpf.ts';

/** An instruction; what is not given is 0. */
export interface Step {
  readonly opcode: number;
  readonly dst?: number;
  readonly src?: number;
  readonly offset?: number;
  readonly imm?: number;
}

/** A program to try. */
export interface ProbeProgram {
  /** Default: `socket_filter`. */
  readonly type?: ProgramType;
  /** Default: `r0 = 0; exit`. */
  readonly code?: Uint8Array;
  readonly attachType?: number;
  readonly attachBtfId?: number;
  readonly fdArray?: readonly number[];
  /** False for programs about which the verifier would say much. Default: true. */
  readonly log?: boolean;
}

/** What the kernel made of it. */
export interface ProbeAnswer {
  /** A descriptor, which the caller closes; null unless it was loaded. */
  readonly fd: number | null;
  /** 0 if it was loaded. */
  readonly errno: number;
  /** By name. */
  readonly errnoName: string;
  /** What the verifier said; empty if it was not reached. */
  readonly log: string;
}

/** As much as the verifier says of a few instructions; each byte of it comes back from the agent, and a virtual machine's console is slow. */
const LOG_SIZE = 4096;
/** BPF_F_SLEEPABLE, which syscall programs must have. */
const SLEEPABLE = 1 << 4;

/**
 * Attach types that BPF_PROG_LOAD wants of some program types (bpf_prog_load_check_attach, kernel/bpf/syscall.c; find_prog_type is asked first
 * in some versions and later in others, so that a wrong one could pass for an unknown type).
 */
const ATTACH_TYPES: Partial<Record<ProgramType, number>> = {
  cgroup_sock_addr: 10, // BPF_CGROUP_INET4_CONNECT
  lirc_mode2: 16, // BPF_LIRC_MODE2
  cgroup_sockopt: 21, // BPF_CGROUP_GETSOCKOPT
  tracing: 24, // BPF_TRACE_FENTRY
  lsm: 27, // BPF_LSM_MAC
  sk_lookup: 36, // BPF_SK_LOOKUP
  netfilter: 45, // BPF_NETFILTER
};

/** Loads a program, with a log. Throws AgentError. */
export async function loadProbe(agent: AgentConnection, program: ProbeProgram): Promise<ProbeAnswer> {
  await liftMemoryLimit(agent);
  const { type = 'socket_filter', code = assemble([]), attachBtfId, fdArray } = program;
  const attachType = program.attachType ?? ATTACH_TYPES[type];
  const log = output(LOG_SIZE);
  const attr = programLoadAttr({
    type: PROGRAM_TYPES[type],
    code,
    license: cstring('GPL'),
    name: 'probe',
    flags: type === 'syscall' ? SLEEPABLE : 0,
    ...(attachType === undefined ? {} : { attachType }),
    ...(attachBtfId === undefined ? {} : { attachBtfId }),
    ...(fdArray === undefined ? {} : { fdArray }),
    ...(program.log === false ? {} : { log: { level: 1, buffer: log } }),
  });
  const { value, errno } = await bpf(agent, BpfCommand.programLoad, attr);
  const text = verifierLogText(log.bytes);
  return { fd: errno === 0 ? value : null, errno, errnoName: errno === 0 ? '' : errnoName(errno), log: text };
}

/** Loads a program and lets go of it. Throws AgentError. */
export async function tryProgram(agent: AgentConnection, program: ProbeProgram): Promise<ProbeAnswer> {
  const answer = await loadProbe(agent, program);
  if (answer.fd !== null) await closeAll(agent, [answer.fd]);
  return answer;
}

/** The instructions, then `r0 = 0; exit`. */
export function assemble(steps: readonly Step[]): Uint8Array {
  const all: readonly Step[] = [...steps, { opcode: 0xb7 }, { opcode: 0x95 }];
  const code = new Uint8Array(all.length * SLOT_SIZE);
  all.forEach(({ opcode, dst = 0, src = 0, offset = 0, imm = 0 }, slot) => {
    writeInstruction(code, slot, { opcode, dst, src, offset, imm });
  });
  return code;
}
