import type { ByteOrder } from '../bytes.ts';
import { formatInstruction, type InstructionNames } from './format.ts';
import { slotCount } from './instruction.ts';

/** An instruction for a person: what it is, and where it comes from. */
export interface InstructionDescription {
  /** Slot of eight bytes in the code that was described. */
  readonly slot: number;
  /** As the kernel's disassembler writes it, with names for what it refers to. */
  readonly text: string;
  /** The function it is in; null if not known. */
  readonly function: string | null;
  /** The line it was compiled from; null if not known. */
  readonly source: {
    readonly file: string;
    readonly line: number;
    readonly column: number;
    readonly text: string;
  } | null;
}

/** What is known about the code that an instruction is in. */
export interface CodeOrigin {
  readonly byteOrder?: ByteOrder;
  /** First slots of functions, in any order. */
  readonly functions?: readonly { readonly slot: number; readonly name: string }[];
  /** Source lines from their first slot on, in any order. */
  readonly lines?: readonly {
    readonly slot: number;
    readonly file: string;
    readonly line: number;
    readonly column: number;
    readonly source: string;
  }[];
  readonly names?: InstructionNames;
}

/** Describes the instruction at `slot`; null if there is none. */
export function describeInstruction(
  code: Uint8Array,
  slot: number,
  origin: CodeOrigin = {},
): InstructionDescription | null {
  if (!Number.isInteger(slot) || slot < 0 || slot >= slotCount(code)) return null;
  const holder = lastUpTo(origin.functions ?? [], slot);
  const line = lastUpTo(origin.lines ?? [], slot);
  // A line of the function before says nothing about this one.
  const known = line !== undefined && (holder === undefined || line.slot >= holder.slot) && line.line > 0;
  return {
    slot,
    text: formatInstruction(code, slot, origin.byteOrder, origin.names),
    function: holder?.name ?? null,
    source: known ? { file: line.file, line: line.line, column: line.column, text: line.source.trim() } : null,
  };
}

/** On one line: `` `r1 = *(u32 *)(r2 +4)` (probe.c:12: x = p->y;) ``. */
export function formatDescription(description: InstructionDescription): string {
  const source = formatSource(description);
  return `\`${description.text}\`${source === '' ? '' : ` (${source})`}`;
}

/** `probe.c:12: x = p->y;`; without the text if that is not known, empty if nothing is. */
function formatSource({ source }: InstructionDescription): string {
  if (source === null) return '';
  // Folders say little, and make a line long; the whole path is in the description.
  const file = source.file.slice(source.file.lastIndexOf('/') + 1);
  return `${file}:${source.line}${source.text === '' ? '' : `: ${source.text}`}`;
}

/** The one that starts latest, at a slot or before; of several that start together, the last. */
function lastUpTo<T extends { readonly slot: number }>(all: readonly T[], slot: number): T | undefined {
  let best: T | undefined;
  for (const one of all) {
    if (one.slot <= slot && (best === undefined || one.slot >= best.slot)) best = one;
  }
  return best;
}
