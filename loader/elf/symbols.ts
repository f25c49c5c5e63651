import { ByteReader } from '../bytes.ts';
import { FormatError } from '../errors.ts';
import { SHN_LORESERVE, SHN_XINDEX, SHT_STRTAB } from './constants.ts';
import type { ElfSection, ElfSymbol } from './file.ts';
import { NameTable } from './names.ts';

/**
 * Reads a symbol table (`Elf64_Sym`, 24 bytes each) with the names from the string table it links to.
 * Throws {@link FormatError} for a damaged table, a section index out of range, or one in a SYMTAB_SHNDX section.
 */
export function readSymbols(
  table: ElfSection,
  sections: readonly ElfSection[],
  byteOrder: 'little' | 'big',
): ElfSymbol[] {
  const reader = new ByteReader(table.data, byteOrder, table.name);
  if (table.entrySize !== SYMBOL_SIZE || table.size % SYMBOL_SIZE !== 0) {
    throw new FormatError('elf-symbol-size', 'the symbol table has an odd size', reader.at(0), {
      why: `${table.size} bytes with entries of ${table.entrySize}; ELF64 symbols take ${SYMBOL_SIZE}`,
    });
  }
  const nameTable = sections[table.link];
  if (nameTable === undefined || nameTable.type !== SHT_STRTAB) {
    throw new FormatError('elf-symbol-names', 'the table of symbol names is missing', reader.at(0), {
      why: `section ${table.link} is not a string table`,
    });
  }
  const strings = new NameTable(nameTable.data, byteOrder, nameTable.name);
  return Array.from({ length: table.size / SYMBOL_SIZE }, (_, index) =>
    readSymbol(reader, strings, index, sections.length),
  );
}

const SYMBOL_SIZE = 24;
const BINDINGS = ['local', 'global', 'weak'] as const;
const TYPES = ['notype', 'object', 'func', 'section', 'file'] as const;
const VISIBILITIES = ['default', 'internal', 'hidden', 'protected'] as const;

function readSymbol(reader: ByteReader, strings: NameTable, index: number, sectionCount: number): ElfSymbol {
  const start = index * SYMBOL_SIZE;
  const nameOffset = reader.seek(start).u32();
  const info = reader.u8();
  const other = reader.u8();
  const sectionIndex = reader.u16();
  const value = reader.u64();
  const size = reader.u64();
  const name = nameOffset === 0 ? '' : strings.at(nameOffset);
  if (sectionIndex === SHN_XINDEX) {
    throw new FormatError(
      'elf-extended-numbering',
      'extended section numbering is not supported',
      reader.at(start + 6),
      {
        why: `symbol ${index} "${name}" has its section index elsewhere`,
      },
    );
  }
  if (sectionIndex >= sectionCount && sectionIndex < SHN_LORESERVE) {
    throw new FormatError(
      'elf-symbol-section',
      `symbol ${index} "${name}" is in section ${sectionIndex}`,
      reader.at(start + 6),
      {
        why: `there are ${sectionCount} sections`,
      },
    );
  }
  if (size > BigInt(Number.MAX_SAFE_INTEGER)) {
    throw new FormatError('elf-absurd-size', `symbol ${index} "${name}" has size ${size}`, reader.at(start + 16));
  }
  return {
    index,
    name,
    value,
    size: Number(size),
    binding: BINDINGS[info >> 4] ?? info >> 4,
    type: TYPES[info & 0xf] ?? info & 0xf,
    sectionIndex,
    visibility: VISIBILITIES[other & 3] ?? 'default',
  };
}
