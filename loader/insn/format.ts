import type { ByteOrder } from '../bytes.ts';
import { helperName } from './helpers.ts';
import { type Instruction, isLoadImm64, readImm64, readInstruction, slotCount } from './instruction.ts';
import { Alu, Atomic, CallSource, Class, Jump, LoadSource, Mode, Operand, Size } from './opcodes.ts';

/**
 * Disassembles the instruction at `slot`, in the manner of the kernel's `kernel/bpf/disasm.c` (verifier log,
 * `bpftool prog dump xlated`): `r1 = *(u32 *)(r2 +4)`, `if w1 s> 5 goto +3`, `call bpf_map_lookup_elem#1`.
 * Never throws for unknown instructions: they are shown as `(opcode ff) …`.
 * @throws ObjectError `instruction-outside-code` if there is no such slot.
 */
export function formatInstruction(code: Uint8Array, slot: number, byteOrder: ByteOrder = 'little'): string {
  const instruction = readInstruction(code, slot, byteOrder);
  if (isLoadImm64(instruction)) return formatLoadImm64(code, slot, instruction, byteOrder);
  const kind = instruction.opcode & 0x07;
  let text: string | undefined;
  if (kind === Class.ALU || kind === Class.ALU64) text = formatAlu(instruction);
  else if (kind === Class.JMP || kind === Class.JMP32) text = formatJump(instruction);
  else text = formatMemory(instruction);
  return text ?? formatUnknown(instruction);
}

/** Disassembles every instruction of `code`, one a line, each with its slot in front (`12: exit`). */
export function formatInstructions(code: Uint8Array, byteOrder: ByteOrder = 'little'): string {
  const lines: string[] = [];
  for (let slot = 0; slot < slotCount(code); slot++) {
    lines.push(`${slot}: ${formatInstruction(code, slot, byteOrder)}`);
    if (isLoadImm64(readInstruction(code, slot, byteOrder))) slot++;
  }
  return lines.join('\n');
}

function formatLoadImm64(code: Uint8Array, slot: number, instruction: Instruction, byteOrder: ByteOrder): string {
  const { dst, src, imm } = instruction;
  if (slot + 1 >= slotCount(code)) return `r${dst} = (ld_imm64 without its second slot)`;
  const second = readInstruction(code, slot + 1, byteOrder).imm;
  switch (src) {
    case LoadSource.IMMEDIATE:
      return `r${dst} = 0x${readImm64(code, slot, byteOrder).toString(16)} ll`;
    case LoadSource.MAP_FD:
      return `r${dst} = map[fd:${imm}]`;
    case LoadSource.MAP_VALUE:
      return `r${dst} = map[fd:${imm}][0]+${second}`;
    case LoadSource.BTF_ID:
      return `r${dst} = btf_id[${second === 0 ? '' : `fd:${second},`}id:${imm}]`;
    case LoadSource.FUNC:
      return `r${dst} = subprog[${signed(imm)}]`;
    case LoadSource.MAP_IDX:
      return `r${dst} = map[idx:${imm}]`;
    case LoadSource.MAP_IDX_VALUE:
      return `r${dst} = map[idx:${imm}][0]+${second}`;
    default:
      return formatUnknown(instruction);
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

function formatAlu(instruction: Instruction): string | undefined {
  const { opcode, dst, src, offset, imm } = instruction;
  const wide = (opcode & 0x07) === Class.ALU64;
  const register = wide ? 'r' : 'w';
  const operation = opcode & 0xf0;
  if (operation === Alu.END) {
    const swap = wide ? 'bswap' : (opcode & Operand.X) === 0 ? 'le' : 'be';
    return `r${dst} = ${swap}${imm} r${dst}`;
  }
  if (operation === Alu.NEG) return `${register}${dst} = -${register}${dst}`;
  const operator = ALU_OPERATORS.get(operation);
  if (operator === undefined) return undefined;
  const isSigned = offset === 1 && (operation === Alu.DIV || operation === Alu.MOD) ? 's' : '';
  if ((opcode & Operand.X) === 0) return `${register}${dst} ${isSigned}${operator} ${imm}`;
  // A move with an offset of 8, 16 or 32 sign-extends that many bits (instruction set version 4).
  const cast = operation === Alu.MOV && [8, 16, 32].includes(offset) ? `(s${offset})` : '';
  return `${register}${dst} ${isSigned}${operator} ${cast}${register}${src}`;
}

const COMPARISONS: ReadonlyMap<number, string> = new Map([
  [Jump.JEQ, '=='],
  [Jump.JGT, '>'],
  [Jump.JGE, '>='],
  [Jump.JSET, '&'],
  [Jump.JNE, '!='],
  [Jump.JSGT, 's>'],
  [Jump.JSGE, 's>='],
  [Jump.JLT, '<'],
  [Jump.JLE, '<='],
  [Jump.JSLT, 's<'],
  [Jump.JSLE, 's<='],
]);

function formatJump(instruction: Instruction): string | undefined {
  const { opcode, dst, src, offset, imm } = instruction;
  const wide = (opcode & 0x07) === Class.JMP;
  const operation = opcode & 0xf0;
  if (operation === Jump.JA) return wide ? `goto ${signed(offset)}` : `gotol ${signed(imm)}`;
  if (operation === Jump.JCOND && wide) return `may_goto ${signed(offset)}`;
  if (operation === Jump.EXIT && wide) return 'exit';
  if (operation === Jump.CALL && wide) return formatCall(instruction);
  const comparison = COMPARISONS.get(operation);
  if (comparison === undefined) return undefined;
  const register = wide ? 'r' : 'w';
  const operand = (opcode & Operand.X) === 0 ? `${imm}` : `${register}${src}`;
  return `if ${register}${dst} ${comparison} ${operand} goto ${signed(offset)}`;
}

function formatCall({ opcode, dst, src, offset, imm }: Instruction): string | undefined {
  if ((opcode & Operand.X) !== 0) return `callx r${dst}`;
  if (src === CallSource.HELPER) return `call ${helperName(imm)}`;
  if (src === CallSource.SUBPROGRAM) return `call pc${signed(imm)}`;
  if (src === CallSource.KFUNC) return `call kernel-function[${offset === 0 ? '' : `index:${offset},`}id:${imm}]`;
  return undefined;
}

const WIDTHS: ReadonlyMap<number, string> = new Map([
  [Size.B, '8'],
  [Size.H, '16'],
  [Size.W, '32'],
  [Size.DW, '64'],
]);

function formatMemory(instruction: Instruction): string | undefined {
  const { opcode, dst, src, offset, imm } = instruction;
  const bits = WIDTHS.get(opcode & 0x18) ?? '64';
  const mode = opcode & 0xe0;
  const at = (type: string, register: number) => `*(${type}${bits} *)(r${register} ${signed(offset)})`;
  switch (opcode & 0x07) {
    case Class.LD:
      if (mode === Mode.ABS) return `r0 = *(u${bits} *)skb[${imm}]`;
      if (mode === Mode.IND) return `r0 = *(u${bits} *)skb[r${src} + ${imm}]`;
      return undefined;
    case Class.LDX:
      if (mode === Mode.MEM) return `r${dst} = ${at('u', src)}`;
      if (mode === Mode.MEMSX) return `r${dst} = ${at('s', src)}`;
      return undefined;
    case Class.ST:
      return mode === Mode.MEM ? `${at('u', dst)} = ${imm}` : undefined;
    default:
      if (mode === Mode.MEM) return `${at('u', dst)} = r${src}`;
      return mode === Mode.ATOMIC ? formatAtomic(instruction, bits) : undefined;
  }
}

const ATOMIC_OPERATORS: ReadonlyMap<number, readonly [operator: string, name: string]> = new Map([
  [Atomic.ADD, ['+=', 'add']],
  [Atomic.OR, ['|=', 'or']],
  [Atomic.AND, ['&=', 'and']],
  [Atomic.XOR, ['^=', 'xor']],
]);

function formatAtomic({ dst, src, offset, imm }: Instruction, bits: string): string | undefined {
  const pointer = (register: number) => `(u${bits} *)(r${register} ${signed(offset)})`;
  const prefix = bits === '64' ? 'atomic64' : 'atomic';
  const value = bits === '64' ? 'r' : 'w';
  if (imm === Atomic.XCHG) return `${value}${src} = ${prefix}_xchg(${pointer(dst)}, ${value}${src})`;
  if (imm === Atomic.CMPXCHG) return `${value}0 = ${prefix}_cmpxchg(${pointer(dst)}, ${value}0, ${value}${src})`;
  if (imm === Atomic.LOAD_ACQUIRE) return `${value}${dst} = load_acquire(${pointer(src)})`;
  if (imm === Atomic.STORE_RELEASE) return `store_release(${pointer(dst)}, ${value}${src})`;
  const operation = ATOMIC_OPERATORS.get(imm & ~Atomic.FETCH);
  if (operation === undefined) return undefined;
  const [operator, name] = operation;
  if ((imm & Atomic.FETCH) === 0) return `lock *${pointer(dst)} ${operator} ${value}${src}`;
  return `${value}${src} = ${prefix}_fetch_${name}(${pointer(dst)}, ${value}${src})`;
}

function formatUnknown({ opcode, dst, src, offset, imm }: Instruction): string {
  return `(opcode ${opcode.toString(16).padStart(2, '0')}) dst=${dst} src=${src} off=${offset} imm=${imm}`;
}

function signed(value: number): string {
  return value < 0 ? `${value}` : `+${value}`;
}
