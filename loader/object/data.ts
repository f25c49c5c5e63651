import type { DatasecType } from '../btf/types.ts';
import { SHT_NOBITS, SHT_PROGBITS } from '../elf/constants.ts';
import type { ElfSection, ElfSymbol } from '../elf/elf.ts';
import { ObjectError } from '../errors.ts';
import { mapTypeNumber } from './map-types.ts';
import type { ObjectFile } from './object-file.ts';
import type { MapSpec, VariableSpec } from './spec.ts';

const BPF_MAP_TYPE_ARRAY = 2;
const BPF_F_RDONLY_PROG = 1 << 7;

/** Where clang puts variables of an arena: those of address space 1. They become no map of their own; references to them name this section. */
export const ARENA_SECTION = '.addr_space.1';

/** Maps with the variables of the object's arena, if there are both: the arena holds them from its start (libbpf's src/libbpf.c, init_arena_map_data). Throws ObjectError `data-too-large`. */
export function withArenaData(maps: readonly MapSpec[], file: ObjectFile): MapSpec[] {
  const section = file.elf.sections.find(({ name, size }) => name === ARENA_SECTION && size > 0);
  const arena = maps.find(({ type }) => type === mapTypeNumber('arena'));
  if (section === undefined || arena === undefined) return [...maps];
  if (section.type === SHT_NOBITS) refuseHuge(file, [section]);
  const arenaData = section.type === SHT_NOBITS ? new Uint8Array(section.size) : new Uint8Array(section.data);
  return maps.map((map) => (map === arena ? { ...map, arenaData } : map));
}

/**
 * Whether a section holds global variables or constants: `.data`, `.bss`, `.rodata`, or one of these with `.NAME` appended, such as
 * `.rodata.str1.1` (string constants), `.rodata.cst16` and `.data.custom` (bpf_object__elf_collect in libbpf's `src/libbpf.c`).
 */
export function isDataSection(section: ElfSection): boolean {
  if (section.size === 0) return false;
  if (section.type === SHT_NOBITS) return hasBase(section.name, '.bss') || hasBase(section.name, '.data');
  return section.type === SHT_PROGBITS && (hasBase(section.name, '.data') || hasBase(section.name, '.rodata'));
}

/**
 * One array map with a single entry for each data section, its value the section's content. The map bears the section's
 * name; what to call it in the kernel, where names end after 15 bytes, is for the load step to say.
 * Throws ObjectError `data-too-large`.
 */
export function readDataMaps(file: ObjectFile): MapSpec[] {
  const sections = file.elf.sections.filter(isDataSection);
  refuseHuge(file, sections);
  return sections.map((section) => {
    const readOnly = hasBase(section.name, '.rodata');
    return {
      name: section.name,
      type: BPF_MAP_TYPE_ARRAY,
      keySize: 4,
      valueSize: section.size,
      maxEntries: 1,
      flags: readOnly ? BPF_F_RDONLY_PROG : 0,
      keyTypeId: null,
      valueTypeId: datasecOf(file, section)?.id ?? null,
      data: section.type === SHT_NOBITS ? new Uint8Array(section.size) : new Uint8Array(section.data),
      frozen: readOnly,
    };
  });
}

/** The variables of all data sections, by section and offset. String constants have no symbol and are not among them. */
export function readVariables(file: ObjectFile): VariableSpec[] {
  return file.elf.sections.filter(isDataSection).flatMap((section) =>
    file.elf.symbols
      .filter((symbol) => symbol.type === 'object' && symbol.sectionIndex === section.index)
      .map((symbol) => ({
        name: symbol.name,
        map: section.name,
        offset: Number(symbol.value),
        size: symbol.size,
        typeId: variableType(file, section, symbol),
      }))
      .sort((a, b) => a.offset - b.offset),
  );
}

/**
 * Data sections of an object may take this many bytes together. A `.bss` takes none in the file, so that a few damaged bytes could ask for
 * gigabytes of memory; sections may also lie over each other.
 */
export const MOST_DATA = 64 * 1024 * 1024;

function refuseHuge(file: ObjectFile, sections: readonly ElfSection[]): void {
  let total = 0;
  for (const section of sections) {
    total += section.size;
    if (total <= MOST_DATA) continue;
    throw new ObjectError(
      'data-too-large',
      'too many global variables',
      { file: file.name, section: section.name },
      {
        why: `it has ${section.size} bytes, and all data sections together may have ${MOST_DATA}`,
        fix: 'Put large tables into a map of their own.',
      },
    );
  }
}

function hasBase(name: string, base: string): boolean {
  return name === base || name.startsWith(`${base}.`);
}

function datasecOf(file: ObjectFile, section: ElfSection): DatasecType | undefined {
  return file.btf?.find(section.name, 'datasec') ?? undefined;
}

function variableType(file: ObjectFile, section: ElfSection, symbol: ElfSymbol): number | null {
  for (const entry of datasecOf(file, section)?.entries ?? []) {
    const type = file.btf?.type(entry.type);
    if (type?.kind !== 'var') continue;
    // A static variable within a function is `function.name` in ELF and `name` in BTF; only its offset tells it apart.
    const local =
      symbol.binding === 'local' && symbol.name.endsWith(`.${type.name}`) && entry.offset === Number(symbol.value);
    if (type.name === symbol.name || local) return type.type;
  }
  return null;
}

/** A variable that holds the address of something, which nothing can fill in. */
export interface PointerInData {
  /** Empty for a constant without a name. */
  readonly variable: string;
  /** Bytes from the start of the section. */
  readonly offset: number;
  /** What the address is of: a symbol, or a section. */
  readonly target: string;
}

/**
 * The first address that is to stand in the variable around a place of a data section; null if there is none. The kernel has maps for data, and no
 * map holds addresses of maps: where they are initialised with one, libbpf leaves zero without a word.
 */
export function pointerInData(file: ObjectFile, section: ElfSection, offset: number): PointerInData | null {
  const relocations = file.relocations.get(section.index) ?? [];
  if (relocations.length === 0) return null;
  const holder = variableAround(file, section, offset);
  const found = relocations.find((one) => variableAround(file, section, one.offset) === holder);
  if (found === undefined) return null;
  const target = found.symbol.name || file.elf.sections[found.symbol.sectionIndex]?.name || 'something';
  return { variable: holder?.name ?? '', offset: found.offset, target };
}

function variableAround(file: ObjectFile, section: ElfSection, offset: number): ElfSymbol | undefined {
  return file.elf.symbols.find(
    (symbol) =>
      symbol.type === 'object' &&
      symbol.sectionIndex === section.index &&
      Number(symbol.value) <= offset &&
      offset < Number(symbol.value) + symbol.size,
  );
}
