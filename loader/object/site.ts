import type { ElfSection } from '../elf/elf.ts';
import { describeInstruction, formatDescription } from '../insn/describe.ts';
import type { ObjectFile } from './object-file.ts';

/** An instruction of an object for messages: its text and, where the object has line information, the line of source it comes from. */
export function describeSite(file: ObjectFile, section: ElfSection, slot: number): string {
  const { byteOrder } = file.elf;
  const described = describeInstruction(section.data, slot, {
    byteOrder,
    lines: file.btfExt?.lineRecords.get(section.name)?.all() ?? [],
  });
  return described === null ? `slot ${slot}` : formatDescription(described);
}
