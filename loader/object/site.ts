import { basename } from 'node:path';
import type { LineInfo } from '../btf/ext.ts';
import type { ElfSection } from '../elf/elf.ts';
import { formatInstruction } from '../insn/format.ts';
import type { ObjectFile } from './object-file.ts';

/** An instruction of an object for messages: its text and, where the object has line information, the line of source it comes from. */
export function describeSite(file: ObjectFile, section: ElfSection, slot: number): string {
  const text = `\`${formatInstruction(section.data, slot, file.elf.byteOrder)}\``;
  const line = lineAt(file.btfExt?.lines.get(section.name) ?? [], slot);
  if (line === undefined) return text;
  const source = line.source.trim();
  return `${text} (${basename(line.file)}:${line.line}${source === '' ? '' : `: ${source}`})`;
}

/** The last line that starts at or before a slot. */
function lineAt(lines: readonly LineInfo[], slot: number): LineInfo | undefined {
  let best: LineInfo | undefined;
  for (const line of lines) {
    if (line.slot <= slot && (best === undefined || line.slot >= best.slot)) best = line;
  }
  return best;
}
