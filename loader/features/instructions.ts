import type { AgentConnection } from '../agent/connection.ts';
import { assemble, type ProbeAnswer, type Step, tryProgram } from './probe-program.ts';
import { type FeatureSupport, inconclusiveErrno, notSupported, supported } from './support.ts';

/** What clang calls `-mcpu`. */
export type InstructionSet = 'v2' | 'v3' | 'v4';

const MOV = 0xb7;
/**
 * What each version has over the one before (Documentation/bpf/standardization/instruction-set.rst).
 * v2 (4.14): `<`. v3 (5.1): 32-bit jumps. v4 (6.6): sign extension in moves and loads, byte swaps without condition, signed division, long jumps.
 */
const SETS: Record<InstructionSet, readonly Step[]> = {
  v2: [{ opcode: MOV }, { opcode: 0xa5, imm: 1 }],
  v3: [{ opcode: MOV }, { opcode: 0xa6, imm: 1 }],
  v4: [
    { opcode: MOV, imm: 1 },
    { opcode: 0xbf, offset: 8 },
    { opcode: 0xd7, imm: 16 },
    { opcode: 0x37, offset: 1, imm: 2 },
    { opcode: 0x7b, dst: 10, offset: -8 },
    { opcode: 0x91, src: 10, offset: -8 },
    { opcode: 0x06 },
  ],
};

/** Whether the kernel takes all that a version of the instruction set adds. Throws AgentError. */
export async function probeInstructionSet(agent: AgentConnection, set: InstructionSet): Promise<FeatureSupport> {
  return judge(await tryProgram(agent, { code: assemble(SETS[set]) }));
}

/** Instructions that a program could have before Linux 5.2 (BPF_MAXINSNS), and without CAP_BPF still can. */
const OLD_LIMIT = 4096;

/** Whether programs may be longer than 4096 instructions, up to a million (5.2, c04c0d2b968a). Throws AgentError. */
export async function probeLargePrograms(agent: AgentConnection): Promise<FeatureSupport> {
  const steps = Array.from({ length: OLD_LIMIT }, () => ({ opcode: MOV, imm: 1 }));
  return judge(await tryProgram(agent, { code: assemble(steps), log: false }));
}

/** Whether loops are taken whose end the verifier sees (5.3, 2589726d12a1). Throws AgentError. */
export async function probeBoundedLoops(agent: AgentConnection): Promise<FeatureSupport> {
  // r0 = 10; do r0 -= 1; while (r0 != 0)
  const loop = [
    { opcode: MOV, imm: 10 },
    { opcode: 0x17, imm: 1 },
    { opcode: 0x55, offset: -2 },
  ];
  return judge(await tryProgram(agent, { code: assemble(loop) }));
}

/** Whether BPF_PROG_LOAD knows `fd_array`, which calls of modules' kfuncs need (5.14, 387544bfa291); a longer attribute than the kernel's is E2BIG. Throws AgentError. */
export async function probeFdArray(agent: AgentConnection): Promise<FeatureSupport> {
  return judge(await tryProgram(agent, { fdArray: [0] }));
}

function judge(answer: ProbeAnswer): FeatureSupport {
  if (answer.fd !== null) return supported('a program that uses it was loaded');
  if (answer.errnoName === 'EINVAL' || answer.errnoName === 'E2BIG') {
    const words = answer.log.trim().split('\n');
    return notSupported(words.find((line) => line !== '' && !/^\d+: |^processed /.test(line)) ?? answer.errnoName);
  }
  return inconclusiveErrno(answer.errno);
}
