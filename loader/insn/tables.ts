import type { AluOperation, AtomicOperation, Bytes, Comparison } from './decoded.ts';
import { Alu, Atomic, Jump, Size } from './opcodes.ts';

/** High four bits of an ALU opcode; `sdiv` and `smod` are `div` and `mod` with offset 1. */
export const ALU_CODES: ReadonlyMap<AluOperation, number> = new Map([
  ['add', Alu.ADD],
  ['sub', Alu.SUB],
  ['mul', Alu.MUL],
  ['div', Alu.DIV],
  ['sdiv', Alu.DIV],
  ['or', Alu.OR],
  ['and', Alu.AND],
  ['lsh', Alu.LSH],
  ['rsh', Alu.RSH],
  ['mod', Alu.MOD],
  ['smod', Alu.MOD],
  ['xor', Alu.XOR],
  ['mov', Alu.MOV],
  ['arsh', Alu.ARSH],
]);

/** High four bits of a conditional jump's opcode. */
export const COMPARISON_CODES: ReadonlyMap<Comparison, number> = new Map([
  ['==', Jump.JEQ],
  ['!=', Jump.JNE],
  ['>', Jump.JGT],
  ['>=', Jump.JGE],
  ['<', Jump.JLT],
  ['<=', Jump.JLE],
  ['&', Jump.JSET],
  ['s>', Jump.JSGT],
  ['s>=', Jump.JSGE],
  ['s<', Jump.JSLT],
  ['s<=', Jump.JSLE],
]);

/** Immediate of an atomic instruction; the first four may have {@link Atomic.FETCH} as well. */
export const ATOMIC_CODES: ReadonlyMap<AtomicOperation, number> = new Map([
  ['add', Atomic.ADD],
  ['or', Atomic.OR],
  ['and', Atomic.AND],
  ['xor', Atomic.XOR],
  ['xchg', Atomic.XCHG],
  ['cmpxchg', Atomic.CMPXCHG],
  ['load-acquire', Atomic.LOAD_ACQUIRE],
  ['store-release', Atomic.STORE_RELEASE],
]);

/** Size bits of a load or store. */
export const SIZE_CODES: ReadonlyMap<Bytes, number> = new Map([
  [1, Size.B],
  [2, Size.H],
  [4, Size.W],
  [8, Size.DW],
]);

/** The key that has this value; undefined if none has. */
export function keyOf<Key, Value>(map: ReadonlyMap<Key, Value>, value: Value): Key | undefined {
  for (const [key, one] of map) if (one === value) return key;
  return undefined;
}
