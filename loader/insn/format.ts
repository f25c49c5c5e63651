import type { ByteOrder } from '../bytes.ts';
import { formatMemory } from './format-memory.ts';
import { helperName } from './helpers.ts';
import { type Instruction, isLoadImm64, readImm64, readInstruction, slotCount } from './instruction.ts';
import { Alu, CallSource, Class, Jump, LoadSource, Operand } from './opcodes.ts';

/** Names for what an instruction only has a number for; undefined leaves the number. */
export interface InstructionNames {
  /** For `call NAME#12`, a name, or all of it if there is a `#` in it; for a subprogram what follows `call pc`, such as `+3#name`. Helpers by number have their names already. */
  readonly call?: (instruction: Instruction, slot: number) => string | undefined;
  /** The right side of a 64-bit immediate load; `second` is the immediate of its second slot. */
  readonly immediate?: (instruction: Instruction, second: number, slot: number) => string | undefined;
}

/**
 * Disassembles the instruction at `slot` to the text of the kernel's `print_bpf_insn` (`kernel/bpf/disasm.c`, Linux 7.3; the verifier's log, `bpftool prog dump
 * xlated`) without the opcode before it: `r1 = *(u32 *)(r2 +4)`, `if w1 s> 0x5 goto pc+3`, `call bpf_map_lookup_elem#1`. Of 64-bit loads it tells the
 * kind (`map[fd:5]`, `btf_id[id:7]`) where the kernel would print a number, and `callx r1` where it says `call unknown`.
 * Never throws for unknown instructions: the kernel's own word for them (`BUG_ldx_01`) if it has one, else `(opcode ff) …`.
 * @throws ObjectError `instruction-outside-code` if there is no such slot.
 */
export function formatInstruction(
  code: Uint8Array,
  slot: number,
  byteOrder: ByteOrder = 'little',
  names: InstructionNames = {},
): string {
  const instruction = readInstruction(code, slot, byteOrder);
  if (isLoadImm64(instruction)) return formatLoadImm64(code, slot, instruction, byteOrder, names);
  const kind = instruction.opcode & 0x07;
  let text: string | undefined;
  if (kind === Class.ALU || kind === Class.ALU64) text = formatAlu(instruction);
  else if (kind === Class.JMP || kind === Class.JMP32) text = formatJump(instruction, slot, names);
  else text = formatMemory(instruction);
  return text ?? formatUnknown(instruction);
}

/** Disassembles every instruction of `code`, one a line, each with its slot in front (`12: exit`). */
export function formatInstructions(
  code: Uint8Array,
  byteOrder: ByteOrder = 'little',
  names: InstructionNames = {},
): string {
  const lines: string[] = [];
  for (let slot = 0; slot < slotCount(code); slot++) {
    lines.push(`${slot}: ${formatInstruction(code, slot, byteOrder, names)}`);
    if (isLoadImm64(readInstruction(code, slot, byteOrder))) slot++;
  }
  return lines.join('\n');
}

function formatLoadImm64(
  code: Uint8Array,
  slot: number,
  instruction: Instruction,
  byteOrder: ByteOrder,
  names: InstructionNames,
): string {
  const { dst, src, imm } = instruction;
  if (slot + 1 >= slotCount(code)) return `r${dst} = (ld_imm64 without its second slot)`;
  const second = readInstruction(code, slot + 1, byteOrder).imm;
  const text = names.immediate?.(instruction, second, slot) ?? immediateText(src, imm, second);
  return `r${dst} = ${text ?? `0x${readImm64(code, slot, byteOrder).toString(16)}`}`;
}

function immediateText(src: number, imm: number, second: number): string | undefined {
  switch (src) {
    case LoadSource.MAP_FD:
      return `map[fd:${imm}]`;
    case LoadSource.MAP_VALUE:
      return `map[fd:${imm}][0]+${second}`;
    case LoadSource.BTF_ID:
      return `btf_id[${second === 0 ? '' : `fd:${second},`}id:${imm}]`;
    case LoadSource.FUNC:
      return `subprog[${signed(imm)}]`;
    case LoadSource.MAP_IDX:
      return `map[idx:${imm}]`;
    case LoadSource.MAP_IDX_VALUE:
      return `map[idx:${imm}]+${second}`;
    default:
      return undefined;
  }
}

const ALU_OPERATORS: ReadonlyMap<number, string> = new Map([
  [Alu.ADD, '+='],
  [Alu.SUB, '-='],
  [Alu.MUL, '*='],
  [Alu.DIV, '/='],
  [Alu.OR, '|='],
  [Alu.AND, '&='],
  [Alu.LSH, '<<='],
  [Alu.RSH, '>>='],
  [Alu.MOD, '%='],
  [Alu.XOR, '^='],
  [Alu.MOV, '='],
  [Alu.ARSH, 's>>='],
]);

/** Offsets of a 64-bit move that make it something else: BPF_ADDR_SPACE_CAST, and the kernel's own BPF_ADDR_PERCPU. */
const ADDRESS_SPACE_CAST = 1;
const PER_CPU_ADDRESS = -1;

function formatAlu(instruction: Instruction): string | undefined {
  const { opcode, dst, src, offset, imm } = instruction;
  const wide = (opcode & 0x07) === Class.ALU64;
  const register = wide ? 'r' : 'w';
  const operation = opcode & 0xf0;
  const fromRegister = (opcode & Operand.X) !== 0;
  if (operation === Alu.END) {
    const swap = wide ? 'bswap' : fromRegister ? 'be' : 'le';
    return `r${dst} = ${swap}${imm} r${dst}`;
  }
  if (operation === Alu.NEG) return `${register}${dst} = -${register}${dst}`;
  const move = operation === Alu.MOV && fromRegister;
  if (move && wide && offset === ADDRESS_SPACE_CAST) {
    return `r${dst} = addr_space_cast(r${src}, ${imm >>> 16}, ${imm & 0xffff})`;
  }
  if (move && wide && offset === PER_CPU_ADDRESS) return `r${dst} = &(void __percpu *)(r${src})`;
  const operator = ALU_OPERATORS.get(operation);
  if (operator === undefined) return undefined;
  const isSigned = offset === 1 && (operation === Alu.DIV || operation === Alu.MOD) ? 's' : '';
  if (!fromRegister) return `${register}${dst} ${isSigned}${operator} ${imm}`;
  // A move with an offset of 8, 16 or 32 sign-extends that many bits (instruction set version 4).
  const cast = move && [8, 16, 32].includes(offset) ? `(s${offset})` : '';
  return `${register}${dst} ${isSigned}${operator} ${cast}${register}${src}`;
}

/** `jmp`, `call` and `exit` are what the kernel prints for nonsense such as a 32-bit exit. */
const COMPARISONS: ReadonlyMap<number, string> = new Map([
  [Jump.JA, 'jmp'],
  [Jump.JEQ, '=='],
  [Jump.JGT, '>'],
  [Jump.JGE, '>='],
  [Jump.JSET, '&'],
  [Jump.JNE, '!='],
  [Jump.JSGT, 's>'],
  [Jump.JSGE, 's>='],
  [Jump.EXIT, 'exit'],
  [Jump.JLT, '<'],
  [Jump.JLE, '<='],
  [Jump.JSLT, 's<'],
  [Jump.JSLE, 's<='],
]);

function formatJump(instruction: Instruction, slot: number, names: InstructionNames): string | undefined {
  const { opcode, dst, src, offset, imm } = instruction;
  const wide = (opcode & 0x07) === Class.JMP;
  const fromRegister = (opcode & Operand.X) !== 0;
  const operation = opcode & 0xf0;
  if (operation === Jump.CALL) return formatCall(instruction, slot, names);
  if (operation === Jump.JA && wide) return fromRegister ? `gotox r${dst}` : `goto pc${signed(offset)}`;
  if (operation === Jump.JA && !fromRegister) return `gotol pc${signed(imm)}`;
  if (operation === Jump.JCOND && wide && !fromRegister && src === 0) return `may_goto pc${signed(offset)}`;
  if (operation === Jump.EXIT && wide && !fromRegister) return 'exit';
  const comparison = COMPARISONS.get(operation);
  if (comparison === undefined) return undefined;
  const register = wide ? 'r' : 'w';
  const operand = fromRegister ? `${register}${src}` : `0x${(imm >>> 0).toString(16)}`;
  return `if ${register}${dst} ${comparison} ${operand} goto pc${signed(offset)}`;
}

function formatCall(instruction: Instruction, slot: number, names: InstructionNames): string {
  const { opcode, dst, src, imm } = instruction;
  if ((opcode & 0x0f) === (Class.JMP | Operand.X)) return `callx r${dst}`;
  const helper = src === CallSource.HELPER ? helperName(imm) : undefined;
  const name = helper ?? names.call?.(instruction, slot);
  if (src === CallSource.SUBPROGRAM) return `call pc${name ?? signed(imm)}`;
  if (name?.includes('#') === true) return `call ${name}`;
  return `call ${name ?? (src === CallSource.KFUNC ? 'kernel-function' : 'unknown')}#${imm}`;
}

function formatUnknown({ opcode, dst, src, offset, imm }: Instruction): string {
  return `(opcode ${opcode.toString(16).padStart(2, '0')}) dst=${dst} src=${src} off=${offset} imm=${imm}`;
}

function signed(value: number): string {
  return value < 0 ? `${value}` : `+${value}`;
}
