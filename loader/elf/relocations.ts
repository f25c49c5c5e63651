import { ByteReader } from '../bytes.ts';
import { FormatError } from '../errors.ts';
import { SHT_REL, SHT_RELA, SHT_SYMTAB } from './constants.ts';
import type { ElfFile, ElfSection, ElfSymbol } from './elf.ts';

/** One entry of a REL or RELA section. */
export interface ElfRelocation {
  /** Bytes from the start of the section that is relocated. */
  readonly offset: number;
  /** `R_BPF_…`. */
  readonly type: number;
  readonly symbol: ElfSymbol;
  /** Null in REL sections: the addend is what stands at `offset`. */
  readonly addend: bigint | null;
}

/**
 * The relocations in a REL or RELA section (`section.info` is the index of the section they apply to), in file order.
 * Throws {@link FormatError} if the section is of another type or damaged, names no symbol, or points outside of its target.
 */
export function relocations(elf: ElfFile, section: ElfSection): ElfRelocation[] {
  const reader = new ByteReader(section.data, elf.byteOrder, section.name);
  const entrySize = section.type === SHT_REL ? REL_SIZE : section.type === SHT_RELA ? RELA_SIZE : undefined;
  const refuse = (offset: number, what: string, why: string): never => {
    throw new FormatError('elf-relocation', what, reader.at(offset), { where: elf.name, why });
  };
  if (entrySize === undefined) {
    return refuse(0, 'not a relocation section', `its type is ${section.type}`);
  }
  if (section.entrySize !== entrySize || section.size % entrySize !== 0) {
    return refuse(
      0,
      'a relocation section of odd size',
      `${section.size} bytes, entries of ${section.entrySize}, not ${entrySize}`,
    );
  }
  if (elf.sections[section.link]?.type !== SHT_SYMTAB) {
    return refuse(0, 'the relocations name no symbol table', `section ${section.link} is none`);
  }
  const target = elf.sections[section.info];
  if (target === undefined) {
    return refuse(0, 'the relocations apply to no section', `there is no section ${section.info}`);
  }
  const isLittle = elf.byteOrder === 'little';
  return Array.from({ length: section.size / entrySize }, (_, index) => {
    const start = index * entrySize;
    // In halves: a BigInt for each of the relocations would be most of the work.
    const first = reader.seek(start).u32();
    const second = reader.u32();
    const offset = isLittle ? first + second * HALF : first * HALF + second;
    const [third, fourth] = [reader.u32(), reader.u32()];
    const [type, symbolIndex] = isLittle ? [third, fourth] : [fourth, third];
    const addend = section.type === SHT_RELA ? reader.i64() : null;
    if (offset >= target.size) {
      return refuse(
        start,
        'a relocation outside of its section',
        `offset ${offset}, "${target.name}" has ${target.size} bytes`,
      );
    }
    const symbol = elf.symbols[symbolIndex];
    if (symbol === undefined) {
      return refuse(start, 'a relocation against no symbol', `symbol ${symbolIndex} of ${elf.symbols.length}`);
    }
    return { offset, type, symbol, addend };
  });
}

/** What the upper half of 64 bits counts. */
const HALF = 0x1_0000_0000;

const REL_SIZE = 16;
const RELA_SIZE = 24;
