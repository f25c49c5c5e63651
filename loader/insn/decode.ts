import type { ByteOrder } from '../bytes.ts';
import { decodeMemory } from './decode-memory.ts';
import type { DecodedInstruction, Operand, Width } from './decoded.ts';
import { type Instruction, isLoadImm64, readImm64, readInstruction, slotCount } from './instruction.ts';
import { Alu, CallSource, Class, Jump, LoadSource, Operand as OperandBit } from './opcodes.ts';
import { ALU_CODES, COMPARISON_CODES, keyOf } from './tables.ts';

const LAST_REGISTER = 10;

/**
 * What the instruction at `slot` means. Bytes that are no instruction give kind `invalid` with the reason: unknown opcodes, registers after r10, and fields
 * that are not used and yet not zero, all of which the kernel refuses too (resolve_pseudo_ldimm64, check_alu_op, do_check in kernel/bpf/verifier.c). What only the
 * kernel itself writes, and shows in code that was read back from it (r11, probing loads, speculation barriers), is no instruction either; `formatInstruction` shows it.
 * @throws ObjectError `instruction-outside-code` if there is no such slot.
 */
export function decodeInstruction(code: Uint8Array, slot: number, byteOrder: ByteOrder = 'little'): DecodedInstruction {
  const instruction = readInstruction(code, slot, byteOrder);
  if (isLoadImm64(instruction)) return decodeLoadImmediate(code, slot, instruction, byteOrder);
  const kind = instruction.opcode & 0x07;
  if (kind === Class.ALU || kind === Class.ALU64) return checked(instruction, decodeAlu(instruction));
  if (kind === Class.JMP || kind === Class.JMP32) return checked(instruction, decodeJump(instruction));
  return checked(instruction, decodeMemory(instruction));
}

/** Every instruction of `code` with its slot, in order. Never throws. */
export function decodeInstructions(
  code: Uint8Array,
  byteOrder: ByteOrder = 'little',
): { readonly slot: number; readonly instruction: DecodedInstruction }[] {
  const all: { slot: number; instruction: DecodedInstruction }[] = [];
  for (let slot = 0; slot < slotCount(code); slot++) {
    const instruction = decodeInstruction(code, slot, byteOrder);
    all.push({ slot, instruction });
    if (instruction.kind === 'load-immediate' || (instruction.kind === 'invalid' && instruction.slots === 2)) slot++;
  }
  return all;
}

/** Registers that do not exist are found last, so that an unknown opcode is called that. */
function checked({ dst, src }: Instruction, decoded: DecodedInstruction): DecodedInstruction {
  if (decoded.kind === 'invalid') return decoded;
  const beyond = Math.max(dst, src);
  return beyond > LAST_REGISTER ? invalid(`there is no register r${beyond}`) : decoded;
}

function decodeLoadImmediate(
  code: Uint8Array,
  slot: number,
  first: Instruction,
  byteOrder: ByteOrder,
): DecodedInstruction {
  if (slot + 1 >= slotCount(code))
    return invalid('a 64-bit immediate load takes two slots, and there is only one left');
  const second = readInstruction(code, slot + 1, byteOrder);
  const { dst, src, imm } = first;
  const refuse = (reason: string): DecodedInstruction => ({ kind: 'invalid', reason, slots: 2 });
  if (second.opcode !== 0 || second.dst !== 0 || second.src !== 0 || second.offset !== 0 || first.offset !== 0) {
    return refuse('a 64-bit immediate load uses reserved fields');
  }
  if (dst > LAST_REGISTER) return refuse(`there is no register r${dst}`);
  const load = (immediate: Extract<DecodedInstruction, { kind: 'load-immediate' }>['immediate']) =>
    ({ kind: 'load-immediate', dst, immediate }) as const;
  switch (src) {
    case LoadSource.IMMEDIATE:
      return load({ source: 'value', value: readImm64(code, slot, byteOrder) });
    case LoadSource.MAP_VALUE:
      return load({ source: 'map-value', fd: imm, offset: second.imm });
    case LoadSource.BTF_ID:
      return load({ source: 'btf-id', id: imm, fd: second.imm });
    case LoadSource.MAP_IDX_VALUE:
      return load({ source: 'map-index-value', index: imm, offset: second.imm });
  }
  if (src > LoadSource.MAP_IDX_VALUE) return refuse(`a 64-bit immediate of unknown kind ${src}`);
  if (second.imm !== 0) return refuse('a 64-bit immediate load uses reserved fields');
  if (src === LoadSource.MAP_FD) return load({ source: 'map-fd', fd: imm });
  if (src === LoadSource.FUNC) return load({ source: 'function', distance: imm });
  return load({ source: 'map-index', index: imm });
}

function decodeAlu(instruction: Instruction): DecodedInstruction {
  const { opcode, dst, src, offset, imm } = instruction;
  const width: Width = (opcode & 0x07) === Class.ALU64 ? 64 : 32;
  const operation = opcode & 0xf0;
  const fromRegister = (opcode & OperandBit.X) !== 0;
  if (operation === Alu.END) {
    if (imm !== 16 && imm !== 32 && imm !== 64) return invalid(`a change of byte order of ${imm} bits`);
    if (src !== 0 || offset !== 0 || (width === 64 && fromRegister)) return reserved('a change of byte order');
    return { kind: 'byte-order', to: width === 64 ? 'swapped' : fromRegister ? 'big' : 'little', bits: imm, dst };
  }
  if (operation === Alu.NEG) {
    if (fromRegister || src !== 0 || offset !== 0 || imm !== 0) return reserved('a negation');
    return { kind: 'negate', width, dst };
  }
  if (operation === Alu.MOV && fromRegister && offset !== 0) return decodeSpecialMove(instruction, width);
  const signed = (operation === Alu.DIV || operation === Alu.MOD) && offset === 1;
  const name = signed ? ALU_SIGNED.get(operation) : keyOf(ALU_CODES, operation);
  if (name === undefined) return invalid(`unknown opcode 0x${opcode.toString(16)}`);
  if ((!signed && offset !== 0) || (fromRegister ? imm !== 0 : src !== 0)) return reserved('arithmetic');
  return { kind: 'alu', operation: name, width, dst, operand: operandOf(instruction) };
}

const ALU_SIGNED: ReadonlyMap<number, 'sdiv' | 'smod'> = new Map([
  [Alu.DIV, 'sdiv'],
  [Alu.MOD, 'smod'],
]);
/** A move with this offset changes the address space (BPF_ADDR_SPACE_CAST). */
export const ADDRESS_SPACE_CAST = 1;

function decodeSpecialMove({ dst, src, offset, imm }: Instruction, width: Width): DecodedInstruction {
  if (offset === ADDRESS_SPACE_CAST && width === 64) {
    return { kind: 'address-space-cast', dst, src, to: imm >>> 16, from: imm & 0xffff };
  }
  if (imm !== 0 || (offset !== 8 && offset !== 16 && (offset !== 32 || width === 32))) return reserved('a move');
  return { kind: 'move-signed', width, bits: offset, dst, src };
}

function decodeJump(instruction: Instruction): DecodedInstruction {
  const { opcode, dst, src, offset, imm } = instruction;
  const wide = (opcode & 0x07) === Class.JMP;
  const fromRegister = (opcode & OperandBit.X) !== 0;
  const operation = opcode & 0xf0;
  const comparison = keyOf(COMPARISON_CODES, operation);
  if (comparison !== undefined) {
    if (fromRegister ? imm !== 0 : src !== 0) return reserved('a jump');
    const operand = operandOf(instruction);
    return { kind: 'jump-if', comparison, width: wide ? 64 : 32, dst, operand, distance: offset };
  }
  if (operation === Jump.JA && !fromRegister) {
    if (dst !== 0 || src !== 0 || (wide ? imm : offset) !== 0) return reserved('a jump');
    return { kind: 'jump', long: !wide, distance: wide ? offset : imm };
  }
  if (!wide) return invalid(`unknown opcode 0x${opcode.toString(16)}`);
  if (operation === Jump.CALL) return decodeCall(instruction);
  if (operation === Jump.JA) {
    return src !== 0 || offset !== 0 || imm !== 0 ? reserved('a jump') : { kind: 'jump-register', register: dst };
  }
  if (operation === Jump.EXIT && !fromRegister) {
    return dst !== 0 || src !== 0 || offset !== 0 || imm !== 0 ? reserved('exit') : { kind: 'exit' };
  }
  if (operation === Jump.JCOND && !fromRegister) {
    if (dst !== 0 || src !== 0 || imm !== 0) return reserved('may_goto');
    return { kind: 'may-goto', distance: offset };
  }
  return invalid(`unknown opcode 0x${opcode.toString(16)}`);
}

function decodeCall({ opcode, dst, src, offset, imm }: Instruction): DecodedInstruction {
  if ((opcode & OperandBit.X) !== 0) {
    // Clang before 19 wrote the register into the immediate.
    const register = dst === 0 ? imm : dst;
    const clean = src === 0 && offset === 0 && (dst === 0 || imm === 0) && register >= 0 && register <= LAST_REGISTER;
    return clean ? { kind: 'call-register', register } : reserved('a call');
  }
  if (dst !== 0 || (src !== CallSource.KFUNC && offset !== 0)) return reserved('a call');
  if (src === CallSource.HELPER) return { kind: 'call', target: 'helper', number: imm };
  if (src === CallSource.SUBPROGRAM) return { kind: 'call', target: 'function', distance: imm };
  if (src === CallSource.KFUNC) return { kind: 'call', target: 'kfunc', btfId: imm, btfIndex: offset };
  return invalid(`a call of unknown kind ${src}`);
}

function operandOf({ opcode, src, imm }: Instruction): Operand {
  return (opcode & OperandBit.X) === 0 ? { immediate: imm } : { register: src };
}

function reserved(what: string): DecodedInstruction {
  return invalid(`${what} uses reserved fields`);
}

function invalid(reason: string): DecodedInstruction {
  return { kind: 'invalid', reason, slots: 1 };
}
