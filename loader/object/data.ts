import type { DatasecType } from '../btf/types.ts';
import { SHT_NOBITS, SHT_PROGBITS } from '../elf/constants.ts';
import type { ElfSection, ElfSymbol } from '../elf/elf.ts';
import { ObjectError } from '../errors.ts';
import type { ObjectFile } from './object-file.ts';
import type { MapSpec, VariableSpec } from './spec.ts';

const BPF_MAP_TYPE_ARRAY = 2;
const BPF_F_RDONLY_PROG = 1 << 7;

/** Whether a section holds global variables or constants: `.data`, `.bss`, `.rodata`, or one of these with `.NAME` appended. */
export function isDataSection(section: ElfSection): boolean {
  if (section.size === 0) return false;
  if (section.type === SHT_NOBITS) return hasBase(section.name, '.bss');
  return section.type === SHT_PROGBITS && (hasBase(section.name, '.data') || hasBase(section.name, '.rodata'));
}

/**
 * One array map with a single entry for each data section, its value the section's content. The map bears the section's
 * name; what to call it in the kernel, where names end after 15 bytes, is for the load step to say.
 * @throws ObjectError `pointer-in-data` if a variable is initialised with an address.
 */
export function readDataMaps(file: ObjectFile): MapSpec[] {
  return file.elf.sections.filter(isDataSection).map((section) => {
    refusePointers(file, section);
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

function refusePointers(file: ObjectFile, section: ElfSection): void {
  const relocation = file.relocations.get(section.index)?.[0];
  if (relocation === undefined) return;
  const variable = file.elf.symbols.find(
    (symbol) =>
      symbol.type === 'object' &&
      symbol.sectionIndex === section.index &&
      Number(symbol.value) <= relocation.offset &&
      relocation.offset < Number(symbol.value) + symbol.size,
  );
  const target = relocation.symbol.name || file.elf.sections[relocation.symbol.sectionIndex]?.name;
  throw new ObjectError(
    'pointer-in-data',
    'a global variable is initialised with an address',
    { file: file.name, section: section.name, ...(variable === undefined ? {} : { symbol: variable.name }) },
    {
      why: `byte ${relocation.offset} of the section is to hold the address of ${target}, which a map cannot hold`,
      fix: 'Assign it in the program, or use an index instead of a pointer.',
    },
  );
}
