import { formatInstructions } from '../../../loader/insn/format.ts';
import { readInstruction, slotCount, writeInstruction } from '../../../loader/insn/instruction.ts';
import { instructionFields } from '../fields.ts';
import { type Target, Violation } from '../target.ts';
import type { Context } from './context.ts';

/** BPF code: disassembled in both byte orders, decoded and encoded again. */
export function instructionsTarget({ code }: Context): Target {
  return {
    name: 'instructions',
    seeds: code.map(({ name, bytes, littleEndian }) => ({
      name,
      bytes,
      fields: instructionFields(bytes.length, littleEndian),
    })),
    words: [],
    run: (bytes, refusals) => {
      refusals.accepted = true;
      for (const byteOrder of ['little', 'big'] as const) {
        formatInstructions(bytes, byteOrder);
        const copy = new Uint8Array(bytes.length);
        copy.set(bytes.subarray(slotCount(bytes) * 8), slotCount(bytes) * 8);
        for (let slot = 0; slot < slotCount(bytes); slot++) {
          writeInstruction(copy, slot, readInstruction(bytes, slot, byteOrder), byteOrder);
        }
        if (Buffer.compare(copy, bytes) !== 0) {
          throw new Violation('wrong-copy', `${byteOrder}-endian code is not what it was when decoded and encoded`);
        }
      }
    },
  };
}
