import type { ByteOrder } from '../bytes.ts';
import { ObjectError } from '../errors.ts';
import { CALL, LD_IMM64, SLOT_SIZE } from './opcodes.ts';

/** One slot of BPF code (`struct bpf_insn`), decoded. */
export interface Instruction {
  readonly opcode: number;
  /** Destination register, 0 to 15. */
  readonly dst: number;
  /** Source register, 0 to 15; for `ld_imm64` and `call`, the kind of immediate. */
  readonly src: number;
  /** Signed 16 bits. */
  readonly offset: number;
  /** Signed 32 bits. */
  readonly imm: number;
}

/** How many slots `code` has. */
export function slotCount(code: Uint8Array): number {
  return Math.floor(code.length / SLOT_SIZE);
}

/**
 * Decodes the instruction at `slot`.
 * @throws ObjectError `instruction-outside-code` if there is no such slot.
 */
export function readInstruction(code: Uint8Array, slot: number, byteOrder: ByteOrder = 'little'): Instruction {
  const start = slotStart(code, slot);
  // Byte by byte: a DataView for each of a program's instructions would be most of the work of reading it.
  const registers = code[start + 1] ?? 0;
  const low = registers & 0xf;
  const high = registers >> 4;
  const little = byteOrder === 'little';
  const [offset, imm] = little
    ? [half(code, start + 3, start + 2), (half(code, start + 7, start + 6) << 16) | half(code, start + 5, start + 4)]
    : [half(code, start + 2, start + 3), (half(code, start + 4, start + 5) << 16) | half(code, start + 6, start + 7)];
  return {
    opcode: code[start] ?? 0,
    dst: little ? low : high,
    src: little ? high : low,
    offset: (offset << 16) >> 16,
    imm,
  };
}

/** 16 bits without a sign, from the places of their upper and lower byte. */
function half(code: Uint8Array, upper: number, lower: number): number {
  return ((code[upper] ?? 0) << 8) | (code[lower] ?? 0);
}

/**
 * Encodes `instruction` into `slot`, in place.
 * @throws ObjectError `instruction-outside-code` if there is no such slot.
 */
export function writeInstruction(
  code: Uint8Array,
  slot: number,
  instruction: Instruction,
  byteOrder: ByteOrder = 'little',
): void {
  const view = slotView(code, slot);
  const little = byteOrder === 'little';
  const { dst, src } = instruction;
  view.setUint8(0, instruction.opcode);
  view.setUint8(1, little ? (src << 4) | (dst & 0xf) : (dst << 4) | (src & 0xf));
  view.setInt16(2, instruction.offset, little);
  view.setInt32(4, instruction.imm, little);
}

/** Replaces some fields of the instruction at `slot`, in place. */
export function patchInstruction(
  code: Uint8Array,
  slot: number,
  fields: Partial<Instruction>,
  byteOrder: ByteOrder = 'little',
): void {
  writeInstruction(code, slot, { ...readInstruction(code, slot, byteOrder), ...fields }, byteOrder);
}

/** Sets the immediate of the instruction at `slot` (32 bits, signed or unsigned). */
export function setImm(code: Uint8Array, slot: number, imm: number, byteOrder: ByteOrder = 'little'): void {
  patchInstruction(code, slot, { imm: imm | 0 }, byteOrder);
}

/** Sets the source register of the instruction at `slot`: for `ld_imm64` and `call` the kind of its immediate. */
export function setSource(code: Uint8Array, slot: number, src: number, byteOrder: ByteOrder = 'little'): void {
  patchInstruction(code, slot, { src }, byteOrder);
}

/** Sets both halves of the `ld_imm64` at `slot`: the low 32 bits stand in its first slot, the high ones in its second. */
export function setImm64(code: Uint8Array, slot: number, value: bigint, byteOrder: ByteOrder = 'little'): void {
  setImmPair(code, slot, Number(BigInt.asIntN(32, value)), Number(BigInt.asIntN(32, value >> 32n)), byteOrder);
}

/** Sets the two immediates of the `ld_imm64` at `slot` one by one: a map's fd and an offset, a BTF id and a BTF fd. */
export function setImmPair(
  code: Uint8Array,
  slot: number,
  first: number,
  second: number,
  byteOrder: ByteOrder = 'little',
): void {
  setImm(code, slot, first, byteOrder);
  setImm(code, slot + 1, second, byteOrder);
}

/** The 64-bit immediate of the `ld_imm64` at `slot`, unsigned. */
export function readImm64(code: Uint8Array, slot: number, byteOrder: ByteOrder = 'little'): bigint {
  const low = BigInt.asUintN(32, BigInt(readInstruction(code, slot, byteOrder).imm));
  const high = BigInt.asUintN(32, BigInt(readInstruction(code, slot + 1, byteOrder).imm));
  return (high << 32n) | low;
}

/** Whether this is the first slot of a `ld_imm64`, so that the next slot is its second half and no instruction. */
export function isLoadImm64(instruction: Instruction): boolean {
  return instruction.opcode === LD_IMM64;
}

/** Whether this calls something: a helper, a subprogram or a kernel function. */
export function isCall(instruction: Instruction): boolean {
  return instruction.opcode === CALL;
}

function slotView(code: Uint8Array, slot: number): DataView {
  return new DataView(code.buffer, code.byteOffset + slotStart(code, slot), SLOT_SIZE);
}

/** Where a slot begins, in bytes. */
function slotStart(code: Uint8Array, slot: number): number {
  const start = slot * SLOT_SIZE;
  if (!Number.isInteger(slot) || slot < 0 || start + SLOT_SIZE > code.length) {
    throw new ObjectError(
      'instruction-outside-code',
      `there is no instruction slot ${slot}`,
      { instruction: slot },
      { why: `the code has ${slotCount(code)} slots of ${SLOT_SIZE} bytes` },
    );
  }
  return start;
}
