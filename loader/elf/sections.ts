import { ByteReader } from '../bytes.ts';
import { FormatError } from '../errors.ts';
import { SHT_NOBITS, SHT_NULL, SHT_STRTAB } from './constants.ts';
import type { ElfHeader, ElfSection } from './file.ts';
import { NameTable } from './names.ts';

/**
 * Reads every section header (`Elf64_Shdr`) and its name; sections without data in the file have an empty `data`.
 * Throws {@link FormatError} where a header or a section leaves the file.
 */
export function readSections(bytes: Uint8Array, header: ElfHeader): ElfSection[] {
  const { offset, count, names } = header.sectionHeaders;
  if (count === 0) {
    return [];
  }
  const size = count * SECTION_HEADER_SIZE;
  if (offset > BigInt(bytes.length) || offset + BigInt(size) > BigInt(bytes.length)) {
    throw new FormatError(
      'elf-truncated',
      'the section headers lie outside of the file',
      { section: 'ELF header', offset: 40 },
      {
        why: `${count} headers at offset ${offset} take ${size} bytes, the file has ${bytes.length}`,
        fix: 'The file is cut off or damaged: compile it again.',
      },
    );
  }
  const reader = new ByteReader(bytes, header.byteOrder, 'section headers').sub(
    Number(offset),
    size,
    'section headers',
  );
  const raw = Array.from({ length: count }, (_, index) => readSectionHeader(reader, index));
  const data = raw.map((section) => sectionData(bytes, section));
  const nameTable = raw[names]?.type === SHT_STRTAB ? data[names] : undefined;
  if (nameTable === undefined) {
    throw new FormatError(
      'elf-section-names',
      'the table of section names is missing',
      { section: 'ELF header', offset: 62 },
      {
        why: `section ${names} of ${count} is not a string table`,
      },
    );
  }
  const strings = new NameTable(nameTable, header.byteOrder, 'section name table');
  return raw.map(({ nameOffset, fileOffset: _, ...section }, index) => ({
    ...section,
    index,
    name: strings.at(nameOffset),
    data: data[index] ?? EMPTY,
  }));
}

const SECTION_HEADER_SIZE = 64;
const EMPTY = new Uint8Array(0);
/** Nothing in an object may be larger: a BPF map's value size has 32 bits, and so have BTF's sizes. */
const LARGEST_SIZE = 0xffff_ffffn;

interface RawSection {
  readonly index: number;
  readonly nameOffset: number;
  readonly type: number;
  readonly flags: bigint;
  readonly fileOffset: bigint;
  readonly size: number;
  readonly link: number;
  readonly info: number;
  readonly align: number;
  readonly entrySize: number;
}

function readSectionHeader(reader: ByteReader, index: number): RawSection {
  const start = index * SECTION_HEADER_SIZE;
  reader.seek(start);
  const nameOffset = reader.u32();
  const type = reader.u32();
  const flags = reader.u64();
  reader.u64(); // sh_addr: 0 in a relocatable file
  const fileOffset = reader.u64();
  const size = readLimited(reader, index, 'size');
  const link = reader.u32();
  const info = reader.u32();
  const align = readLimited(reader, index, 'alignment');
  const entrySize = readLimited(reader, index, 'entry size');
  return { index, nameOffset, type, flags, fileOffset, size, link, info, align, entrySize };
}

function readLimited(reader: ByteReader, index: number, what: string): number {
  const position = reader.at(reader.position);
  const value = reader.u64();
  if (value > LARGEST_SIZE) {
    throw new FormatError('elf-absurd-size', `section ${index} has ${what} ${value}`, position, {
      why: 'it is larger than 4 GiB',
    });
  }
  return Number(value);
}

function sectionData(bytes: Uint8Array, section: RawSection): Uint8Array {
  if (section.type === SHT_NOBITS || section.type === SHT_NULL) {
    return EMPTY;
  }
  if (section.fileOffset + BigInt(section.size) > BigInt(bytes.length)) {
    const position = { section: 'section headers', offset: section.index * SECTION_HEADER_SIZE };
    throw new FormatError('elf-truncated', `section ${section.index} lies outside of the file`, position, {
      why: `${section.size} bytes at offset ${section.fileOffset}, the file has ${bytes.length}`,
      fix: 'The file is cut off or damaged: compile it again.',
    });
  }
  const start = Number(section.fileOffset);
  return bytes.subarray(start, start + section.size);
}
