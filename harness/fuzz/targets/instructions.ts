import { decodeInstructions } from '../../../loader/insn/decode.ts';
import { encodeInstruction } from '../../../loader/insn/encode.ts';
import { formatInstructions } from '../../../loader/insn/format.ts';
import { readInstruction, slotCount, writeInstruction } from '../../../loader/insn/instruction.ts';
import { formatListing } from '../../../loader/insn/listing.ts';
import { instructionFields } from '../fields.ts';
import { type Refusals, type Target, Violation } from '../target.ts';
import type { Context } from './context.ts';

const SLOT_SIZE = 8;

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
        formatListing({ code: bytes, byteOrder }, { opcodes: true });
        copyFields(bytes, byteOrder);
        encodeAgain(bytes, byteOrder, refusals);
      }
    },
  };
}

function copyFields(bytes: Uint8Array, byteOrder: 'little' | 'big'): void {
  const copy = bytes.slice();
  copy.fill(0, 0, slotCount(bytes) * SLOT_SIZE);
  for (let slot = 0; slot < slotCount(bytes); slot++) {
    writeInstruction(copy, slot, readInstruction(bytes, slot, byteOrder), byteOrder);
  }
  if (Buffer.compare(copy, bytes) !== 0) throw new Violation('wrong-copy', `${byteOrder}-endian fields changed`);
}

/** An instruction that has a meaning is the only one with that meaning, but for indirect calls: compilers have had their register in two places. */
function encodeAgain(bytes: Uint8Array, byteOrder: 'little' | 'big', refusals: Refusals): void {
  for (const { slot, instruction } of decodeInstructions(bytes, byteOrder)) {
    if (instruction.kind === 'invalid' || instruction.kind === 'call-register') continue;
    const encoded = refusals.attempt(() => encodeInstruction(instruction, byteOrder));
    const start = slot * SLOT_SIZE;
    if (encoded === undefined) throw new Violation('not-encoded', `slot ${slot}, ${byteOrder}-endian`);
    if (Buffer.compare(encoded, bytes.subarray(start, start + encoded.length)) !== 0) {
      throw new Violation('wrong-copy', `slot ${slot}, ${byteOrder}-endian, is encoded as another instruction`);
    }
  }
}
