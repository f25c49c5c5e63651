import { ByteReader } from '../bytes.ts';
import { FormatError } from '../errors.ts';
import { SHN_XINDEX, SHT_SYMTAB } from './constants.ts';
import type { ElfFile, ElfHeader } from './file.ts';
import { readSections } from './sections.ts';
import { readSymbols } from './symbols.ts';

export type { ElfFile, ElfSection, ElfSymbol } from './file.ts';

/**
 * Parses an ELF64 file of either byte order. `name` is for messages.
 * Throws {@link FormatError} for what is not ELF64, is truncated or contradicts itself; nothing is read outside of `bytes`.
 */
export function parseElf(bytes: Uint8Array, name: string): ElfFile {
  try {
    return parse(bytes, name);
  } catch (error) {
    if (error instanceof FormatError && error.where !== undefined && !error.where.startsWith(name)) {
      throw new FormatError(error.code, error.message, error, {
        where: name,
        ...(error.why === undefined ? {} : { why: error.why }),
        ...(error.fix === undefined ? {} : { fix: error.fix }),
        cause: error,
      });
    }
    throw error;
  }
}

function parse(bytes: Uint8Array, name: string): ElfFile {
  const header = readHeader(bytes);
  const sections = readSections(bytes, header);
  const table = sections.find((section) => section.type === SHT_SYMTAB);
  const symbols = table === undefined ? [] : readSymbols(table, sections, header.byteOrder);
  return { name, byteOrder: header.byteOrder, machine: header.machine, type: header.type, sections, symbols };
}

const HEADER_SIZE = 64;
const SECTION_HEADER_SIZE = 64;

function readHeader(bytes: Uint8Array): ElfHeader {
  const section = 'ELF header';
  if (bytes.length < 4 || bytes[0] !== 0x7f || bytes[1] !== 0x45 || bytes[2] !== 0x4c || bytes[3] !== 0x46) {
    throw new FormatError(
      'not-elf',
      'not an ELF file',
      { section, offset: 0 },
      {
        why: bytes.length === 0 ? 'it is empty' : 'it does not start with 0x7f "ELF"',
        fix: 'Give the object that clang wrote with `-target bpf -c`; LLVM bitcode (`-emit-llvm`) is another format.',
      },
    );
  }
  if (bytes.length < HEADER_SIZE) {
    throw new FormatError(
      'elf-truncated',
      'the ELF header is cut off',
      { section, offset: bytes.length },
      {
        why: `it takes ${HEADER_SIZE} bytes, the file has ${bytes.length}`,
      },
    );
  }
  const elfClass = bytes[4];
  if (elfClass !== 2) {
    throw new FormatError(
      'elf-class',
      'not a 64-bit ELF file',
      { section, offset: 4 },
      {
        why: elfClass === 1 ? 'it is ELF32' : `its class is ${elfClass}`,
        fix: 'BPF objects are ELF64: compile with `-target bpf`.',
      },
    );
  }
  const data = bytes[5];
  if (data !== 1 && data !== 2) {
    throw new FormatError('elf-byte-order', `unknown byte order ${data}`, { section, offset: 5 });
  }
  const byteOrder = data === 1 ? 'little' : 'big';
  const reader = new ByteReader(bytes.subarray(0, HEADER_SIZE), byteOrder, section);
  const type = reader.seek(16).u16();
  const machine = reader.u16();
  const offset = reader.seek(40).u64();
  const headerEntrySize = reader.seek(58).u16();
  const count = reader.u16();
  const names = reader.u16();
  if ((count === 0 && offset !== 0n) || names === SHN_XINDEX) {
    throw new FormatError(
      'elf-extended-numbering',
      'extended section numbering is not supported',
      { section, offset: 60 },
      {
        why: 'the file has 65,280 sections or more',
      },
    );
  }
  if (count !== 0 && headerEntrySize !== SECTION_HEADER_SIZE) {
    throw new FormatError(
      'elf-section-header-size',
      `section headers of ${headerEntrySize} bytes`,
      { section, offset: 58 },
      {
        why: `ELF64 has them of ${SECTION_HEADER_SIZE}`,
      },
    );
  }
  return { byteOrder, machine, type, sectionHeaders: { offset, count, names } };
}
