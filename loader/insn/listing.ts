import type { ByteOrder } from '../bytes.ts';
import { formatInstruction, type InstructionNames } from './format.ts';
import { isLoadImm64, readInstruction, slotCount } from './instruction.ts';
import { SLOT_SIZE } from './opcodes.ts';

/** Code with what is known about it. */
export interface ListedCode {
  readonly code: Uint8Array;
  /** Little endian if absent. */
  readonly byteOrder?: ByteOrder;
  /** What to write above the first instruction of each function, ascending by slot; empty for nothing. */
  readonly functions?: readonly { readonly slot: number; readonly signature: string }[];
  /** Source lines, ascending by slot. */
  readonly lines?: readonly ListedLine[];
  readonly names?: InstructionNames;
}

/** A source line from its first instruction on. */
export interface ListedLine {
  readonly slot: number;
  readonly source: string;
  readonly file: string;
  readonly line: number;
  readonly column: number;
}

/** What else to write, as the options of `bpftool prog dump xlated`. */
export interface ListingOptions {
  /** The bytes of each instruction, on a line below it. */
  readonly opcodes?: boolean;
  /** File, line and column behind each source line (`linum`). */
  readonly lineNumbers?: boolean;
}

/**
 * Code as `bpftool prog dump xlated` lists it: signatures, source lines, and each instruction with its slot and opcode (dump_xlated_plain in
 * tools/bpf/bpftool/xlated_dumper.c). Every line ends with a newline.
 */
export function formatListing(listed: ListedCode, options: ListingOptions = {}): string {
  const { code, byteOrder = 'little', functions = [], lines = [], names = {} } = listed;
  const text: string[] = [];
  let nextFunction = 0;
  let skipped = 0;
  for (let slot = 0; slot < slotCount(code); slot++) {
    const one = functions[nextFunction];
    if (one?.slot === slot) {
      if (one.signature !== '') text.push(`${one.signature}:`);
      nextFunction++;
    }
    const line = lineAt(lines, slot, skipped);
    if (line !== undefined) {
      text.push(`; ${sourceText(line, options)}`);
      skipped++;
    }
    text.push(`${String(slot).padStart(4)}: ${withOpcode(code, slot, byteOrder, names)}`);
    const wide = isLoadImm64(readInstruction(code, slot, byteOrder)) && slot + 1 < slotCount(code);
    if (options.opcodes === true) {
      text.push(`       ${hex(code, slot)}${wide ? ` ${hex(code, slot + 1)}` : ''}`);
    }
    if (wide) slot++;
  }
  return text.map((one) => `${one}\n`).join('');
}

/** The line that is still to be written at a slot: the last one that begins there or before, after those written (bpf_prog_linfo__lfind in libbpf). */
function lineAt(lines: readonly ListedLine[], slot: number, skipped: number): ListedLine | undefined {
  let found: ListedLine | undefined;
  for (let index = skipped; index < lines.length; index++) {
    const line = lines[index];
    if (line === undefined || line.slot > slot) break;
    found = line;
  }
  return found;
}

function sourceText(line: ListedLine, options: ListingOptions): string {
  const text = line.source.trimStart();
  if (options.lineNumbers !== true) return text;
  return `${text} [file:${line.file} line_num:${line.line} line_col:${line.column}]`;
}

/** `(b7) r0 = 0`; the kernel's words for nonsense have no opcode before them. */
function withOpcode(code: Uint8Array, slot: number, byteOrder: ByteOrder, names: InstructionNames): string {
  const text = formatInstruction(code, slot, byteOrder, names);
  const { opcode } = readInstruction(code, slot, byteOrder);
  return /^(BUG_|\(opcode )/.test(text) ? text : `(${opcode.toString(16).padStart(2, '0')}) ${text}`;
}

function hex(code: Uint8Array, slot: number): string {
  const bytes = code.subarray(slot * SLOT_SIZE, (slot + 1) * SLOT_SIZE);
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join(' ');
}
