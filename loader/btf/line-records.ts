import { FormatError } from '../errors.ts';
import type { Btf } from './btf.ts';
import { wordsOf } from './words.ts';

/** Where an instruction comes from (`struct bpf_line_info`). */
export interface LineInfo {
  /** Instruction slot (8 bytes each) in its ELF section. */
  readonly slot: number;
  readonly file: string;
  /** From 1; 0 if unknown. */
  readonly line: number;
  /** From 1; 0 if unknown. */
  readonly column: number;
  /** The line's text. */
  readonly source: string;
  /** Offset of `file` in the object's BTF strings, as the kernel wants it back. */
  readonly fileNameOffset: number;
  /** Offset of `source` in the object's BTF strings, as the kernel wants it back. */
  readonly sourceOffset: number;
}

/**
 * The lines of one ELF section, ascending by slot, as records: an object with a thousand programs has ten thousand, and few are ever looked at. All are
 * checked when they are read, and objects made of those that are asked for.
 */
export class LineRecords {
  /** Instruction slots in the section, ascending. */
  readonly #slots: Uint32Array;
  /** What follows each slot: offset of the file's name, offset of the text, line and column. */
  readonly #fields: Uint32Array;
  readonly #btf: Btf;

  private constructor(slots: Uint32Array, fields: Uint32Array, btf: Btf) {
    this.#btf = btf;
    [this.#slots, this.#fields] = isAscending(slots) ? [slots, fields] : sorted(slots, fields);
  }

  /**
   * Reads and checks records of `size` bytes each. Throws {@link FormatError} `btf-ext-offset`, `btf-string-offset`.
   * @param position Where the first record stands, for messages.
   */
  static read(bytes: Uint8Array, size: number, btf: Btf, position: Position): LineRecords {
    const count = bytes.length / size;
    const words = wordsOf(bytes, btf.byteOrder);
    const { stringsEnd } = btf;
    const slots = new Uint32Array(count);
    const fields = new Uint32Array(count * FIELDS);
    for (let index = 0; index < count; index++) {
      const start = (index * size) >>> 2;
      const offset = words[start] ?? 0;
      const file = words[start + 1] ?? 0;
      const source = words[start + 2] ?? 0;
      if (offset % 8 !== 0) refuseOffset(offset, { ...position, offset: position.offset + index * size });
      if (file >= stringsEnd) btf.string(file);
      if (source >= stringsEnd) btf.string(source);
      slots[index] = offset / 8;
      fields[index * FIELDS] = file;
      fields[index * FIELDS + 1] = source;
      fields[index * FIELDS + 2] = words[start + 3] ?? 0;
    }
    return new LineRecords(slots, fields, btf);
  }

  /** These and further ones of the same section. */
  concat(other: LineRecords): LineRecords {
    const slots = join(this.#slots, other.#slots);
    return new LineRecords(slots, join(this.#fields, other.#fields), this.#btf);
  }

  /** The lines of the slots from `start` up to, not including, `end`, each moved by `distance` slots. */
  between(start: number, end: number, distance: number): LineInfo[] {
    const found: LineInfo[] = [];
    for (let index = this.#firstFrom(start); index < this.#slots.length; index++) {
      const slot = this.#slots[index] ?? 0;
      if (slot >= end) break;
      found.push(this.#read(index, slot + distance));
    }
    return found;
  }

  /** All lines, ascending by slot. */
  all(): LineInfo[] {
    return Array.from(this.#slots, (slot, index) => this.#read(index, slot));
  }

  #read(index: number, slot: number): LineInfo {
    const at = index * FIELDS;
    const fileNameOffset = this.#fields[at] ?? 0;
    const sourceOffset = this.#fields[at + 1] ?? 0;
    const place = this.#fields[at + 2] ?? 0;
    return {
      slot,
      file: this.#btf.string(fileNameOffset),
      // BPF_LINE_INFO_LINE_NUM and BPF_LINE_INFO_LINE_COL.
      line: place >>> 10,
      column: place & 0x3ff,
      source: this.#btf.string(sourceOffset),
      fileNameOffset,
      sourceOffset,
    };
  }

  #firstFrom(slot: number): number {
    let [low, high] = [0, this.#slots.length];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#slots[middle] ?? 0) < slot) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

/** Refuses an instruction offset that is no multiple of 8. */
export function refuseOffset(offset: number, position: Position): never {
  throw new FormatError('btf-ext-offset', `instruction offset ${offset}`, position, { why: 'it is no multiple of 8' });
}

interface Position {
  readonly section: string;
  readonly offset: number;
}

const FIELDS = 3;

function isAscending(slots: Uint32Array): boolean {
  for (let index = 1; index < slots.length; index++) {
    if ((slots[index] ?? 0) < (slots[index - 1] ?? 0)) return false;
  }
  return true;
}

function sorted(slots: Uint32Array, fields: Uint32Array): [Uint32Array, Uint32Array] {
  const order = Array.from(slots.keys()).sort((a, b) => (slots[a] ?? 0) - (slots[b] ?? 0));
  const rows = order.map((index) => fields.subarray(index * FIELDS, (index + 1) * FIELDS));
  const moved = new Uint32Array(fields.length);
  rows.forEach((row, index) => {
    moved.set(row, index * FIELDS);
  });
  return [Uint32Array.from(order, (index) => slots[index] ?? 0), moved];
}

function join(first: Uint32Array, second: Uint32Array): Uint32Array {
  const both = new Uint32Array(first.length + second.length);
  both.set(first);
  both.set(second, first.length);
  return both;
}
