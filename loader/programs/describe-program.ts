import type { ByteOrder } from '../bytes.ts';
import { describeInstruction, type InstructionDescription } from '../insn/describe.ts';
import type { InstructionNames } from '../insn/format.ts';
import { formatListing, type ListingOptions } from '../insn/listing.ts';
import type { ObjectContent, ProgramSpec, Reference } from '../object/spec.ts';
import { functionSignature } from './function-signature.ts';

/** Describes an instruction of a program: disassembled, with the names of what it refers to, its function and source line. Null if there is no such slot. */
export function describeProgramInstruction(
  program: ProgramSpec,
  slot: number,
  byteOrder: ByteOrder = 'little',
): InstructionDescription | null {
  const { functions, lines } = program;
  return describeInstruction(program.code, slot, { byteOrder, functions, lines, names: programNames(program) });
}

/**
 * A program's instructions before its load, in the manner of `bpftool prog dump xlated`: with signatures, source lines, and by name the maps, variables,
 * externs and functions that it refers to.
 */
export function disassembleProgram(
  object: Pick<ObjectContent, 'btf' | 'byteOrder'>,
  program: ProgramSpec,
  options: ListingOptions = {},
): string {
  const { btf, byteOrder } = object;
  return formatListing(
    {
      code: program.code,
      byteOrder,
      functions: program.functions.map(({ slot, name, typeId }) => ({
        slot,
        signature: btf === null || typeId === null ? name : functionSignature(btf, typeId) || name,
      })),
      lines: program.lines,
      names: programNames(program),
    },
    options,
  );
}

/** Names for what a program's code has no numbers for yet. */
function programNames(program: ProgramSpec): InstructionNames {
  const bySlot = new Map(program.references.map((reference) => [reference.slot, reference]));
  return {
    call: ({ src, imm }, slot) => {
      const reference = bySlot.get(slot);
      if (reference?.kind === 'extern-call') return `${reference.extern}#ksym`;
      // BPF_PSEUDO_CALL counts from the next slot.
      const target = src === 1 ? program.functions.find((one) => one.slot === slot + 1 + imm) : undefined;
      return target === undefined ? undefined : `${imm < 0 ? '' : '+'}${imm}#${target.name}`;
    },
    immediate: (_first, _second, slot) => {
      const reference = bySlot.get(slot);
      return reference === undefined ? undefined : referenceText(reference);
    },
  };
}

function referenceText(reference: Reference): string {
  switch (reference.kind) {
    case 'map':
      return `map[${reference.map}]`;
    case 'data':
      return `map[${reference.map}][0]+${reference.offset}`;
    case 'function':
      return `subprog[${reference.function}]`;
    default:
      return `ksym[${reference.extern}]`;
  }
}
