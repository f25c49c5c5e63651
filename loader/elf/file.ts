/** An ELF64 file, taken apart and checked. */
export interface ElfFile {
  /** Name for messages, usually the file's path. */
  readonly name: string;
  readonly byteOrder: 'little' | 'big';
  /** `e_machine`. */
  readonly machine: number;
  /** `e_type`. */
  readonly type: number;
  /** All sections, by index; section 0 is the empty one. */
  readonly sections: readonly ElfSection[];
  /** All symbols, by index; symbol 0 is the empty one. Empty if the file has no symbol table. */
  readonly symbols: readonly ElfSymbol[];
}

/** A section header and its bytes. Field names follow `Elf64_Shdr`. */
export interface ElfSection {
  readonly index: number;
  readonly name: string;
  /** `SHT_…`. */
  readonly type: number;
  /** `SHF_…`. */
  readonly flags: bigint;
  /** Bytes; for NOBITS what the section takes in memory. */
  readonly size: number;
  readonly entrySize: number;
  readonly link: number;
  readonly info: number;
  readonly align: number;
  /** A view into the file; empty for NOBITS. */
  readonly data: Uint8Array;
}

/** A symbol. Field names follow `Elf64_Sym`; numbers stand where this file knows no name. */
export interface ElfSymbol {
  readonly index: number;
  /** Empty for section symbols. */
  readonly name: string;
  /** In a relocatable file: offset in bytes from the start of the section. */
  readonly value: bigint;
  /** Bytes. */
  readonly size: number;
  readonly binding: 'local' | 'global' | 'weak' | number;
  readonly type: 'notype' | 'object' | 'func' | 'section' | 'file' | number;
  /** Index into {@link ElfFile.sections}, or one of `SHN_UNDEF`, `SHN_ABS`, `SHN_COMMON`. */
  readonly sectionIndex: number;
  readonly visibility: 'default' | 'internal' | 'hidden' | 'protected';
}

/** What the rest of the parser needs of `Elf64_Ehdr`. */
export interface ElfHeader {
  readonly byteOrder: 'little' | 'big';
  readonly machine: number;
  readonly type: number;
  /** Where the section headers lie in the file, how many there are, and which holds the names. */
  readonly sectionHeaders: { readonly offset: bigint; readonly count: number; readonly names: number };
}
