/** A number in a file: where it stands, and how. */
export interface Field {
  /** Bytes from the start of the file. */
  readonly offset: number;
  /** Bytes: 1, 2, 4 or 8. */
  readonly width: number;
  readonly littleEndian: boolean;
}

/** Sizes of the fields of `Elf64_Ehdr`, `Elf64_Shdr`, `Elf64_Sym`, `Elf64_Rel` and `struct bpf_insn` one after the other. */
const EHDR = [4, 1, 1, 1, 1, 8, 2, 2, 4, 8, 8, 8, 4, 2, 2, 2, 2, 2, 2];
const SHDR = [4, 4, 8, 8, 8, 8, 4, 4, 8, 8];
const SYM = [4, 1, 1, 2, 8, 8];
const REL = [8, 4, 4];
const INSN = [1, 1, 2, 4];
const SHDR_SIZE = 64;
const SHT_PROGBITS = 1;
const SHT_SYMTAB = 2;
const SHT_REL = 9;
const SHF_EXECINSTR = 4n;

/**
 * The numbers of a whole ELF64 object: headers, section headers, symbols, relocations, instructions, BTF and BTF.ext. Reads with its own few
 * lines rather than with the loader's parser, which is what these numbers are to put to the test.
 */
export function elfFields(bytes: Uint8Array): Field[] {
  const littleEndian = bytes[5] === 1;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const table = Number(view.getBigUint64(40, littleEndian));
  const count = view.getUint16(60, littleEndian);
  const names = Number(view.getBigUint64(table + view.getUint16(62, littleEndian) * SHDR_SIZE + 24, littleEndian));
  const fields = record(0, EHDR, littleEndian);
  for (let index = 0; index < count; index++) {
    const header = table + index * SHDR_SIZE;
    const type = view.getUint32(header + 4, littleEndian);
    const flags = view.getBigUint64(header + 8, littleEndian);
    const start = Number(view.getBigUint64(header + 24, littleEndian));
    const size = Number(view.getBigUint64(header + 32, littleEndian));
    const name = text(bytes, names + view.getUint32(header, littleEndian));
    fields.push(...record(header, SHDR, littleEndian));
    if (type === SHT_SYMTAB) fields.push(...records(start, size, SYM, littleEndian));
    else if (type === SHT_REL) fields.push(...records(start, size, REL, littleEndian));
    else if (name === '.BTF' || name === '.BTF.ext') fields.push(...wordFields(start, size, littleEndian));
    else if (type === SHT_PROGBITS && (flags & SHF_EXECINSTR) !== 0n) {
      fields.push(...records(start, size, INSN, littleEndian));
    }
  }
  return fields;
}

/**
 * The numbers of BTF or BTF.ext: both begin with magic, version and flags, and go on in words of four bytes. Strings at their end count as
 * words too. In BTF the byte with the kind, and the two with the number of members, are fields of their own.
 */
export function wordFields(start: number, size: number, littleEndian: boolean): Field[] {
  const fields = record(start, [2, 1, 1], littleEndian);
  for (let offset = start + 4; offset + 4 <= start + size; offset += 4) {
    fields.push({ offset, width: 4, littleEndian });
    // Where a word holds `info` of struct btf_type, this is the kind.
    if (offset % 8 === 0) fields.push({ offset: offset + (littleEndian ? 3 : 0), width: 1, littleEndian });
  }
  return fields;
}

/** The numbers of instructions that fill the whole input. */
export function instructionFields(size: number, littleEndian: boolean): Field[] {
  return records(0, size, INSN, littleEndian);
}

function records(start: number, size: number, widths: readonly number[], littleEndian: boolean): Field[] {
  const each = widths.reduce((sum, width) => sum + width, 0);
  return Array.from({ length: Math.floor(size / each) }).flatMap((_, index) =>
    record(start + index * each, widths, littleEndian),
  );
}

function record(start: number, widths: readonly number[], littleEndian: boolean): Field[] {
  let offset = start;
  return widths.map((width) => {
    const field = { offset, width, littleEndian };
    offset += width;
    return field;
  });
}

function text(bytes: Uint8Array, start: number): string {
  return Buffer.from(bytes.subarray(start, bytes.indexOf(0, start))).toString('latin1');
}
