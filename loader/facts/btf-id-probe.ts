import type { AgentConnection } from '../agent/connection.ts';
import { errnoName } from '../agent/errno.ts';
import type { Btf } from '../btf/btf.ts';
import { setImm, writeInstruction } from '../insn/instruction.ts';
import { LD_IMM64, LoadSource, SLOT_SIZE } from '../insn/opcodes.ts';
import { PROGRAM_TYPES } from '../object/program-types.ts';
import { programLoadAttr } from '../programs/attr-program.ts';
import { verifierLogText } from '../programs/verifier-log.ts';
import type { KernelFacts } from '../resolve/outcome.ts';
import { cstring, output } from '../syscall/attr.ts';
import { BpfCommand, bpf, closeAll, liftMemoryLimit } from '../syscall/bpf.ts';

/** What a kernel makes of instructions that name a variable or a function by its BTF id; each null where its answer says neither. */
export interface BtfIdAnswers {
  readonly btfIdLoads: boolean | null;
  readonly btfIdAddresses: boolean | null;
  readonly functionIdLoads: boolean | null;
}

/** No BTF has so many types. */
const NO_SUCH_ID = 0x7fff_fff0;
const LOG_SIZE = 16 * 1024;

/**
 * Loads a socket filter that loads the address of a variable in vmlinux BTF or, if that has none, of an id that does not exist: a kernel that
 * knows such loads (Linux 5.10) answers about the id, an older one that it does not recognise the instruction (resolve_pseudo_ldimm64,
 * kernel/bpf/verifier.c). Then one with the id of a function, which 6.4 and later take. All null if programs may not be loaded (EPERM).
 */
export async function probeBtfIds(agent: AgentConnection, vmlinuxBtf: Btf | null): Promise<BtfIdAnswers> {
  await liftMemoryLimit(agent);
  const variable = lastVariable(vmlinuxBtf);
  const text = await answerTo(agent, variable ?? NO_SUCH_ID);
  if (text === null) return { btfIdLoads: null, btfIdAddresses: null, functionIdLoads: null };
  if (text.includes('unrecognized bpf_ld_imm64 insn')) {
    return { btfIdLoads: false, btfIdAddresses: null, functionIdLoads: false };
  }
  const btfIdLoads = text === LOADED || ANSWERS.some((answer) => text.includes(answer)) ? true : null;
  const func = FUNCTIONS.map((name) => vmlinuxBtf?.find(name, 'func')?.id).find((id) => id !== undefined);
  return {
    btfIdLoads,
    btfIdAddresses: variable === undefined ? null : text === LOADED ? true : text.includes(NO_ADDRESS) ? false : null,
    functionIdLoads: func === undefined ? null : takesFunction(await answerTo(agent, func)),
  };
}

/** What of the answers `known` does not have is asked for; nothing if it has all. */
export async function knownOrProbed(
  agent: AgentConnection,
  vmlinuxBtf: Btf | null,
  known: Partial<KernelFacts>,
): Promise<BtfIdAnswers> {
  const { btfIdLoads, btfIdAddresses, functionIdLoads } = known;
  if (btfIdLoads !== undefined) {
    return { btfIdLoads, btfIdAddresses: btfIdAddresses ?? null, functionIdLoads: functionIdLoads ?? null };
  }
  return probeBtfIds(agent, vmlinuxBtf);
}

const NO_ADDRESS = 'failed to find the address for kernel symbol';

/** What check_pseudo_btf_id (kernel/bpf/verifier.c) says of an id that it does not like. */
const ANSWERS = ['specifies invalid btf_id', "isn't KIND_VAR", NO_ADDRESS, 'kernel is missing BTF'];

/** Functions that every kernel has, whatever it is compiled for, and that are no macro or inline. */
const FUNCTIONS = ['bpf_prog_put', 'vfs_read', 'schedule'];

/** In place of a log, which says nothing of interest about a program that was loaded. */
const LOADED = 'loaded';

/** The verifier's log, or {@link LOADED}; null if it was not asked. */
async function answerTo(agent: AgentConnection, id: number): Promise<string | null> {
  const log = output(LOG_SIZE);
  const attr = programLoadAttr({
    type: PROGRAM_TYPES.socket_filter,
    code: probeCode(id),
    license: cstring('GPL'),
    name: 'probe',
    log: { level: 1, buffer: log },
  });
  const { value, errno } = await bpf(agent, BpfCommand.programLoad, attr);
  if (errno === 0) {
    await closeAll(agent, [value]);
    return LOADED;
  }
  return errnoName(errno) === 'EPERM' ? null : verifierLogText(log.bytes);
}

/** Before 6.4 the id must be that of a variable: the message ends there, and goes on with `or KIND_FUNC` later. */
function takesFunction(text: string | null): boolean | null {
  if (text === null) return null;
  if (text === LOADED) return true;
  return /isn't KIND_VAR\.?$/m.test(text) ? false : null;
}

/** r1 = the address; r0 = 0; exit. */
function probeCode(id: number): Uint8Array {
  const code = new Uint8Array(4 * SLOT_SIZE);
  writeInstruction(code, 0, { opcode: LD_IMM64, dst: 1, src: LoadSource.BTF_ID, offset: 0, imm: 0 });
  setImm(code, 0, id);
  writeInstruction(code, 2, { opcode: 0xb7, dst: 0, src: 0, offset: 0, imm: 0 });
  writeInstruction(code, 3, { opcode: 0x95, dst: 0, src: 0, offset: 0, imm: 0 });
  return code;
}

/** The first one has the address 0 on x86-64 before 6.15, which the kernel takes for none; so the last one. */
function lastVariable(btf: Btf | null): number | undefined {
  return btf?.find('.data..percpu', 'datasec', { own: true })?.entries.at(-1)?.type;
}
