import type { AgentConnection } from '../agent/connection.ts';
import { errnoName } from '../agent/errno.ts';
import type { Btf } from '../btf/btf.ts';
import { setImm, writeInstruction } from '../insn/instruction.ts';
import { LD_IMM64, LoadSource, SLOT_SIZE } from '../insn/opcodes.ts';
import { PROGRAM_TYPES } from '../object/program-types.ts';
import { programLoadAttr } from '../programs/attr-program.ts';
import { verifierLogText } from '../programs/verifier-log.ts';
import { cstring, output } from '../syscall/attr.ts';
import { BpfCommand, bpf, closeAll, liftMemoryLimit } from '../syscall/bpf.ts';

/** No BTF has so many types. */
const NO_SUCH_ID = 0x7fff_fff0;
const LOG_SIZE = 16 * 1024;

/**
 * Whether the kernel accepts BPF_PSEUDO_BTF_ID loads, which typed ksyms need (Linux 5.10). Loads a socket filter that loads the address of a
 * variable in vmlinux BTF or, if that has none, of an id that does not exist: a kernel that knows such loads answers about the id, an older one that
 * it does not recognise the instruction (resolve_pseudo_ldimm64, kernel/bpf/verifier.c). Null if it answers something else, such as EPERM.
 */
export async function probeBtfIdLoads(agent: AgentConnection, vmlinuxBtf: Btf | null): Promise<boolean | null> {
  await liftMemoryLimit(agent);
  const log = output(LOG_SIZE);
  const attr = programLoadAttr({
    type: PROGRAM_TYPES.socket_filter,
    code: probeCode(firstVariable(vmlinuxBtf) ?? NO_SUCH_ID),
    license: cstring('GPL'),
    name: 'probe',
    log: { level: 1, buffer: log },
  });
  const { value, errno } = await bpf(agent, BpfCommand.programLoad, attr);
  if (errno === 0) {
    await closeAll(agent, [value]);
    return true;
  }
  if (errnoName(errno) === 'EPERM') return null;
  const text = verifierLogText(log.bytes);
  if (text.includes('unrecognized bpf_ld_imm64 insn')) return false;
  return ANSWERS.some((answer) => text.includes(answer)) ? true : null;
}

/** What check_pseudo_btf_id (kernel/bpf/verifier.c) says of an id that it does not like. */
const ANSWERS = [
  'specifies invalid btf_id',
  "isn't KIND_VAR",
  'failed to find the address for kernel symbol',
  'kernel is missing BTF',
];

/** r1 = the variable's address; r0 = 0; exit. */
function probeCode(id: number): Uint8Array {
  const code = new Uint8Array(4 * SLOT_SIZE);
  writeInstruction(code, 0, { opcode: LD_IMM64, dst: 1, src: LoadSource.BTF_ID, offset: 0, imm: 0 });
  setImm(code, 0, id);
  writeInstruction(code, 2, { opcode: 0xb7, dst: 0, src: 0, offset: 0, imm: 0 });
  writeInstruction(code, 3, { opcode: 0x95, dst: 0, src: 0, offset: 0, imm: 0 });
  return code;
}

function firstVariable(btf: Btf | null): number | undefined {
  return btf?.find('.data..percpu', 'datasec', { own: true })?.entries[0]?.type;
}
