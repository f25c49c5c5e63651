import type { ByteOrder } from '../bytes.ts';
import { ObjectError } from '../errors.ts';
import { ADDRESS_SPACE_CAST } from './decode.ts';
import type { CallTarget, Immediate64, Operand, ValidInstruction } from './decoded.ts';
import { type Instruction, writeInstruction } from './instruction.ts';
import {
  Alu,
  Atomic,
  CALL,
  CallSource,
  Class,
  Jump,
  LD_IMM64,
  LoadSource,
  Mode,
  Operand as OperandBit,
  SLOT_SIZE,
} from './opcodes.ts';
import { ALU_CODES, ATOMIC_CODES, COMPARISON_CODES, SIZE_CODES } from './tables.ts';

/**
 * The bytes of an instruction: 8, or 16 for `load-immediate`.
 * @throws ObjectError `instruction-field-range` for a register, offset or immediate that does not fit its field.
 */
export function encodeInstruction(instruction: ValidInstruction, byteOrder: ByteOrder = 'little'): Uint8Array {
  const slots = instruction.kind === 'load-immediate' ? loadSlots(instruction) : [oneSlot(instruction)];
  const bytes = new Uint8Array(slots.length * SLOT_SIZE);
  for (const [slot, one] of slots.entries()) {
    check(instruction, 'register', one.dst, 0, 10);
    check(instruction, 'register', one.src, 0, 10);
    check(instruction, 'offset', one.offset, -0x8000, 0x7fff);
    check(instruction, 'immediate', one.imm, -0x8000_0000, 0xffff_ffff);
    writeInstruction(bytes, slot, one, byteOrder);
  }
  return bytes;
}

function oneSlot(instruction: Exclude<ValidInstruction, { kind: 'load-immediate' }>): Instruction {
  switch (instruction.kind) {
    case 'alu': {
      const { operation, width, operand } = instruction;
      const offset = operation === 'sdiv' || operation === 'smod' ? 1 : 0;
      const opcode = aluClass(width) | (ALU_CODES.get(operation) ?? 0);
      return {
        ...EMPTY,
        opcode: opcode | operandBit(operand),
        dst: instruction.dst,
        offset,
        ...operandFields(operand),
      };
    }
    case 'negate':
      return { ...EMPTY, opcode: aluClass(instruction.width) | Alu.NEG, dst: instruction.dst };
    case 'move-signed': {
      const { width, bits: offset, dst, src } = instruction;
      return { ...EMPTY, opcode: aluClass(width) | Alu.MOV | OperandBit.X, dst, src, offset };
    }
    case 'byte-order': {
      const { to, bits: imm, dst } = instruction;
      const opcode = aluClass(to === 'swapped' ? 64 : 32) | Alu.END | (to === 'big' ? OperandBit.X : OperandBit.K);
      return { ...EMPTY, opcode, dst, imm };
    }
    case 'address-space-cast': {
      const { dst, src, to, from } = instruction;
      const imm = to * 0x1_0000 + from;
      return { opcode: Class.ALU64 | Alu.MOV | OperandBit.X, dst, src, offset: ADDRESS_SPACE_CAST, imm };
    }
    case 'load': {
      const { bytes, signed, dst, base: src, offset } = instruction;
      const opcode = Class.LDX | sizeBits(bytes) | (signed ? Mode.MEMSX : Mode.MEM);
      return { ...EMPTY, opcode, dst, src, offset };
    }
    case 'store': {
      const { bytes, base: dst, offset, operand } = instruction;
      const kind = 'register' in operand ? Class.STX : Class.ST;
      return { ...EMPTY, opcode: kind | sizeBits(bytes) | Mode.MEM, dst, offset, ...operandFields(operand) };
    }
    case 'atomic': {
      const { operation, fetch, bytes, base, offset, register } = instruction;
      const opcode = Class.STX | sizeBits(bytes) | Mode.ATOMIC;
      const imm = (ATOMIC_CODES.get(operation) ?? 0) | (fetch ? Atomic.FETCH : 0);
      return operation === 'load-acquire'
        ? { opcode, dst: register, src: base, offset, imm }
        : { opcode, dst: base, src: register, offset, imm };
    }
    case 'load-packet': {
      const { bytes, offset: imm, index } = instruction;
      const mode = index === null ? Mode.ABS : Mode.IND;
      return { ...EMPTY, opcode: Class.LD | sizeBits(bytes) | mode, src: index ?? 0, imm };
    }
    case 'jump':
      return instruction.long
        ? { ...EMPTY, opcode: Class.JMP32 | Jump.JA, imm: instruction.distance }
        : { ...EMPTY, opcode: Class.JMP | Jump.JA, offset: instruction.distance };
    case 'jump-if': {
      const { comparison, width, dst, operand, distance: offset } = instruction;
      const opcode = (width === 64 ? Class.JMP : Class.JMP32) | (COMPARISON_CODES.get(comparison) ?? 0);
      return { ...EMPTY, opcode: opcode | operandBit(operand), dst, offset, ...operandFields(operand) };
    }
    case 'may-goto':
      return { ...EMPTY, opcode: Class.JMP | Jump.JCOND, offset: instruction.distance };
    case 'jump-register':
      return { ...EMPTY, opcode: Class.JMP | Jump.JA | OperandBit.X, dst: instruction.register };
    case 'call':
      return { ...EMPTY, opcode: CALL, ...callFields(instruction) };
    case 'call-register':
      return { ...EMPTY, opcode: CALL | OperandBit.X, dst: instruction.register };
    case 'exit':
      return { ...EMPTY, opcode: Class.JMP | Jump.EXIT };
  }
}

const EMPTY: Instruction = { opcode: 0, dst: 0, src: 0, offset: 0, imm: 0 };

function loadSlots({ dst, immediate }: { dst: number; immediate: Immediate64 }): [Instruction, Instruction] {
  const [src, low, high] = immediateFields(immediate);
  return [
    { opcode: LD_IMM64, dst, src, offset: 0, imm: low },
    { ...EMPTY, imm: high },
  ];
}

function immediateFields(immediate: Immediate64): [src: number, low: number, high: number] {
  switch (immediate.source) {
    case 'value': {
      const value = BigInt.asIntN(64, immediate.value);
      return [LoadSource.IMMEDIATE, Number(BigInt.asIntN(32, value)), Number(BigInt.asIntN(32, value >> 32n))];
    }
    case 'map-fd':
      return [LoadSource.MAP_FD, immediate.fd, 0];
    case 'map-value':
      return [LoadSource.MAP_VALUE, immediate.fd, immediate.offset];
    case 'btf-id':
      return [LoadSource.BTF_ID, immediate.id, immediate.fd];
    case 'function':
      return [LoadSource.FUNC, immediate.distance, 0];
    case 'map-index':
      return [LoadSource.MAP_IDX, immediate.index, 0];
    case 'map-index-value':
      return [LoadSource.MAP_IDX_VALUE, immediate.index, immediate.offset];
  }
}

function callFields(call: CallTarget): Pick<Instruction, 'src' | 'offset' | 'imm'> {
  if (call.target === 'helper') return { src: CallSource.HELPER, offset: 0, imm: call.number };
  if (call.target === 'function') return { src: CallSource.SUBPROGRAM, offset: 0, imm: call.distance };
  return { src: CallSource.KFUNC, offset: call.btfIndex, imm: call.btfId };
}

function aluClass(width: 32 | 64): number {
  return width === 64 ? Class.ALU64 : Class.ALU;
}

function sizeBits(bytes: 1 | 2 | 4 | 8): number {
  return SIZE_CODES.get(bytes) ?? 0;
}

function operandBit(operand: Operand): number {
  return 'register' in operand ? OperandBit.X : OperandBit.K;
}

function operandFields(operand: Operand): { src: number } | { imm: number } {
  return 'register' in operand ? { src: operand.register } : { imm: operand.immediate };
}

function check(instruction: ValidInstruction, field: string, value: number, least: number, most: number): void {
  if (Number.isInteger(value) && value >= least && value <= most) return;
  throw new ObjectError(
    'instruction-field-range',
    `${field} ${value} does not fit`,
    {},
    { why: `in an instruction of kind ${instruction.kind}, it may be ${least} to ${most}` },
  );
}
