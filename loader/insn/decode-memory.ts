import type { DecodedInstruction } from './decoded.ts';
import type { Instruction } from './instruction.ts';
import { Atomic, Class, Mode } from './opcodes.ts';
import { ATOMIC_CODES, keyOf, SIZE_CODES } from './tables.ts';

/** What a load or store means, `ld_imm64` apart; kind `invalid` if nothing. Registers are not checked. */
export function decodeMemory(instruction: Instruction): DecodedInstruction {
  const { opcode, dst, src, offset, imm } = instruction;
  const bytes = keyOf(SIZE_CODES, opcode & 0x18) ?? 8;
  const mode = opcode & 0xe0;
  switch (opcode & 0x07) {
    case Class.LDX:
      if (mode !== Mode.MEM && (mode !== Mode.MEMSX || bytes === 8)) break;
      if (imm !== 0) return invalid('a load uses reserved fields');
      return { kind: 'load', bytes, signed: mode === Mode.MEMSX, dst, base: src, offset };
    case Class.ST:
      if (mode !== Mode.MEM) break;
      if (src !== 0) return invalid('a store uses reserved fields');
      return { kind: 'store', bytes, base: dst, offset, operand: { immediate: imm } };
    case Class.STX:
      if (mode === Mode.ATOMIC) return decodeAtomic(instruction, bytes);
      if (mode !== Mode.MEM) break;
      if (imm !== 0) return invalid('a store uses reserved fields');
      return { kind: 'store', bytes, base: dst, offset, operand: { register: src } };
    case Class.LD:
      if ((mode !== Mode.ABS && mode !== Mode.IND) || bytes === 8) break;
      if (dst !== 0 || offset !== 0 || (mode === Mode.ABS && src !== 0)) {
        return invalid('a packet load uses reserved fields');
      }
      return { kind: 'load-packet', bytes, offset: imm, index: mode === Mode.IND ? src : null };
  }
  return invalid(`unknown opcode 0x${opcode.toString(16)}`);
}

function decodeAtomic({ dst, src, offset, imm }: Instruction, bytes: 1 | 2 | 4 | 8): DecodedInstruction {
  const plain = keyOf(ATOMIC_CODES, imm);
  const fetching = plain === undefined ? keyOf(ATOMIC_CODES, imm & ~Atomic.FETCH) : undefined;
  const operation = plain ?? (fetching === 'load-acquire' || fetching === 'store-release' ? undefined : fetching);
  if (operation === undefined) return invalid(`unknown atomic operation 0x${(imm >>> 0).toString(16)}`);
  if (operation === 'load-acquire') {
    return { kind: 'atomic', operation, fetch: false, bytes, base: src, offset, register: dst };
  }
  if (operation !== 'store-release' && bytes < 4) return invalid(`an atomic operation on ${bytes} bytes`);
  const fetch = operation !== 'store-release' && (imm & Atomic.FETCH) !== 0;
  return { kind: 'atomic', operation, fetch, bytes, base: dst, offset, register: src };
}

function invalid(reason: string): DecodedInstruction {
  return { kind: 'invalid', reason, slots: 1 };
}
