import { ObjectError } from '../errors.ts';
import type { AluOperation, AtomicOperation, Bytes, Comparison, Operand, ValidInstruction, Width } from './decoded.ts';
import { helperNumber } from './helpers.ts';

/*
 * Instructions by hand, for small programs without a compiler: `assemble([mov64Imm(0, 1), exit()])`. Registers are numbers from 0 to 10. Distances count
 * slots from the slot after the instruction; a string names a `label` instead. Fields that do not fit are refused when encoding.
 */

/** A place in a program that jumps and calls can name. */
export interface Label {
  readonly kind: 'label';
  readonly name: string;
}

/** An instruction whose distance is that to a label. */
export interface ToLabel {
  readonly kind: 'to-label';
  readonly label: string;
  /** The instruction at a distance. */
  readonly at: (distance: number) => ValidInstruction;
  readonly slots: 1 | 2;
}

/** What `assemble` takes. */
export type ProgramPart = ValidInstruction | Label | ToLabel;

/** `dst = src` */
export const mov64 = (dst: number, src: number): ValidInstruction => alu('mov', 64, dst, { register: src });
/** `dst = value`, sign-extended. */
export const mov64Imm = (dst: number, value: number): ValidInstruction => alu('mov', 64, dst, { immediate: value });
/** `dst = (u32)src` */
export const mov32 = (dst: number, src: number): ValidInstruction => alu('mov', 32, dst, { register: src });
/** `dst = (u32)value` */
export const mov32Imm = (dst: number, value: number): ValidInstruction => alu('mov', 32, dst, { immediate: value });
/** `dst = dst OPERATION src`, all 64 bits. */
export const alu64 = (operation: AluOperation, dst: number, src: number): ValidInstruction =>
  alu(operation, 64, dst, { register: src });
/** `dst = dst OPERATION value`, all 64 bits. */
export const alu64Imm = (operation: AluOperation, dst: number, value: number): ValidInstruction =>
  alu(operation, 64, dst, { immediate: value });
/** The same on the low 32 bits; the upper ones become zero. */
export const alu32 = (operation: AluOperation, dst: number, src: number): ValidInstruction =>
  alu(operation, 32, dst, { register: src });
/** The same on the low 32 bits; the upper ones become zero. */
export const alu32Imm = (operation: AluOperation, dst: number, value: number): ValidInstruction =>
  alu(operation, 32, dst, { immediate: value });
/** `dst += value`: the one that address arithmetic is made of. */
export const add64Imm = (dst: number, value: number): ValidInstruction => alu64Imm('add', dst, value);
/** `dst = -dst` */
export const neg = (dst: number, width: Width = 64): ValidInstruction => ({ kind: 'negate', width, dst });
/** `dst = src`, its low `bits` sign-extended (instruction set version 4). */
export const movSigned = (dst: number, src: number, bits: 8 | 16 | 32, width: Width = 64): ValidInstruction => ({
  kind: 'move-signed',
  width,
  bits,
  dst,
  src,
});
/** The low `bits` of `dst` to big endian (network order) or little endian, or `swapped` on any machine (version 4). */
export const byteOrder = (dst: number, to: 'little' | 'big' | 'swapped', bits: 16 | 32 | 64): ValidInstruction => ({
  kind: 'byte-order',
  to,
  bits,
  dst,
});

/** `dst = value`, any 64 bits; two slots. */
export const loadImm64 = (dst: number, value: bigint): ValidInstruction => ({
  kind: 'load-immediate',
  dst,
  immediate: { source: 'value', value: BigInt.asUintN(64, value) },
});
/** `dst` = the map that descriptor `fd` is open on. */
export const loadMap = (dst: number, fd: number): ValidInstruction => ({
  kind: 'load-immediate',
  dst,
  immediate: { source: 'map-fd', fd },
});
/** `dst` = the address of the first value of an array map, plus `offset` bytes. */
export const loadMapValue = (dst: number, fd: number, offset = 0): ValidInstruction => ({
  kind: 'load-immediate',
  dst,
  immediate: { source: 'map-value', fd, offset },
});
/** `dst` = the address of a kernel variable or function by its BTF id; `fd` 0 is vmlinux. */
export const loadBtfId = (dst: number, id: number, fd = 0): ValidInstruction => ({
  kind: 'load-immediate',
  dst,
  immediate: { source: 'btf-id', id, fd },
});
/** `dst` = the address of a subprogram, for a callback. */
export const loadFunction = (dst: number, to: number | string): ValidInstruction | ToLabel =>
  towards(to, (distance) => ({ kind: 'load-immediate', dst, immediate: { source: 'function', distance } }), 2);

/** `dst = *(u… *)(base + offset)` */
export const load = (bytes: Bytes, dst: number, base: number, offset = 0): ValidInstruction => ({
  kind: 'load',
  bytes,
  signed: false,
  dst,
  base,
  offset,
});
/** `dst = *(s… *)(base + offset)` (version 4) */
export const loadSigned = (bytes: 1 | 2 | 4, dst: number, base: number, offset = 0): ValidInstruction => ({
  kind: 'load',
  bytes,
  signed: true,
  dst,
  base,
  offset,
});
/** `*(u… *)(base + offset) = src` */
export const store = (bytes: Bytes, base: number, offset: number, src: number): ValidInstruction => ({
  kind: 'store',
  bytes,
  base,
  offset,
  operand: { register: src },
});
/** `*(u… *)(base + offset) = value` */
export const storeImm = (bytes: Bytes, base: number, offset: number, value: number): ValidInstruction => ({
  kind: 'store',
  bytes,
  base,
  offset,
  operand: { immediate: value },
});
/** An atomic operation on memory; `fetch` brings the old value into `register` (always so for xchg and cmpxchg). */
export const atomic = (
  operation: AtomicOperation,
  bytes: Bytes,
  base: number,
  offset: number,
  register: number,
  fetch = false,
): ValidInstruction => {
  const always = operation === 'xchg' || operation === 'cmpxchg';
  return { kind: 'atomic', operation, fetch: fetch || always, bytes, base, offset, register };
};

/** `goto` */
export const jump = (to: number | string): ValidInstruction | ToLabel =>
  towards(to, (distance) => ({ kind: 'jump', long: false, distance }));
/** `gotol`: as far as 32 bits reach (version 4). */
export const jumpLong = (to: number | string): ValidInstruction | ToLabel =>
  towards(to, (distance) => ({ kind: 'jump', long: true, distance }));
/** `if dst COMPARISON src goto` */
export const jumpIf = (
  dst: number,
  comparison: Comparison,
  src: number,
  to: number | string,
  width: Width = 64,
): ValidInstruction | ToLabel => conditional(dst, comparison, { register: src }, to, width);
/** `if dst COMPARISON value goto` */
export const jumpIfImm = (
  dst: number,
  comparison: Comparison,
  value: number,
  to: number | string,
  width: Width = 64,
): ValidInstruction | ToLabel => conditional(dst, comparison, { immediate: value }, to, width);

/** A call of a helper, by number or by name with or without `bpf_`. Throws ObjectError `helper-unknown`. */
export function callHelper(helper: number | string): ValidInstruction {
  const number = typeof helper === 'number' ? helper : helperNumber(helper);
  if (number !== undefined) return { kind: 'call', target: 'helper', number };
  throw new ObjectError('helper-unknown', `there is no helper ${helper}`, {}, { fix: 'give its number' });
}
/** A call of a subprogram. */
export const callFunction = (to: number | string): ValidInstruction | ToLabel =>
  towards(to, (distance) => ({ kind: 'call', target: 'function', distance }));
/** A call of a kernel function by its BTF id; `btfIndex` 0 is vmlinux, else a module's BTF at that place of `fd_array`. */
export const callKfunc = (btfId: number, btfIndex = 0): ValidInstruction => ({
  kind: 'call',
  target: 'kfunc',
  btfId,
  btfIndex,
});
/** `exit`: returns r0. */
export const exit = (): ValidInstruction => ({ kind: 'exit' });
/** A place to jump to; takes no slot. */
export const label = (name: string): Label => ({ kind: 'label', name });

function alu(operation: AluOperation, width: Width, dst: number, operand: Operand): ValidInstruction {
  return { kind: 'alu', operation, width, dst, operand };
}

function conditional(
  dst: number,
  comparison: Comparison,
  operand: Operand,
  to: number | string,
  width: Width,
): ValidInstruction | ToLabel {
  return towards(to, (distance) => ({ kind: 'jump-if', comparison, width, dst, operand, distance }));
}

function towards(
  to: number | string,
  at: (distance: number) => ValidInstruction,
  slots: 1 | 2 = 1,
): ValidInstruction | ToLabel {
  return typeof to === 'number' ? at(to) : { kind: 'to-label', label: to, at, slots };
}
