import { ByteReader } from '../bytes.ts';
import type { ElfSection, ElfSymbol } from '../elf/elf.ts';
import type { ElfRelocation } from '../elf/relocations.ts';
import { ObjectError } from '../errors.ts';
import { SLOT_SIZE } from '../insn/opcodes.ts';
import { functionAt, type ObjectFunction } from './functions.ts';
import type { MapDefinition } from './map-definition.ts';
import { mapTypeNumber } from './map-types.ts';
import type { ObjectFile } from './object-file.ts';
import type { InitialElement } from './spec.ts';

/** A map of `.maps`, and the symbol that says where in the section its variable lies. */
export interface PlacedMap {
  readonly symbol: ElfSymbol;
  readonly definition: MapDefinition;
}

const POINTER_SIZE = 8;
const INDEX_SIZE = 4;

/**
 * The elements that maps of maps and program arrays are initialised with, by map: `.values = { [2] = &inner }` is a relocation of `.maps`, at the
 * place of that pointer, against a map or a program (bpf_object__collect_map_relos in libbpf's `src/libbpf.c`).
 * @throws ObjectError `map-values` if it is at another place, or against something else.
 */
export function readInitialElements(
  file: ObjectFile,
  section: ElfSection,
  maps: readonly PlacedMap[],
  functions: readonly ObjectFunction[],
): Map<string, InitialElement[]> {
  const found = new Map<string, InitialElement[]>();
  for (const map of maps) refuseNumbers(file, section, map);
  for (const relocation of file.relocations.get(section.index) ?? []) {
    const holder = maps.find(({ symbol }) => {
      const from = relocation.offset - Number(symbol.value);
      return from >= 0 && from + POINTER_SIZE <= symbol.size;
    });
    const refuse = (why: string): ObjectError =>
      new ObjectError(
        'map-values',
        'a map is initialised with something that it cannot hold',
        { file: file.name, section: section.name, ...(holder === undefined ? {} : { symbol: holder.symbol.name }) },
        { why: `at byte ${relocation.offset} of the section, ${why}` },
      );
    if (holder === undefined) throw refuse('an address is to stand where there is no map');
    const { spec, valuesOffset } = holder.definition;
    const into = relocation.offset - Number(holder.symbol.value) - (valuesOffset ?? 0);
    if (valuesOffset === null || into < 0 || into % POINTER_SIZE !== 0) throw refuse('there is no element of `values`');
    if (spec.type === mapTypeNumber('hash_of_maps') && spec.keySize !== INDEX_SIZE) {
      throw refuse(
        `the index of an element is its key, which takes ${INDEX_SIZE} bytes; the map's keys have ${spec.keySize}`,
      );
    }
    const element = readElement(file, section, relocation, {
      maps,
      functions,
      programs: spec.type === mapTypeNumber('prog_array'),
      refuse,
    });
    found.set(spec.name, [...(found.get(spec.name) ?? []), { index: into / POINTER_SIZE, ...element }]);
  }
  return found;
}

/** A map's members are types: what is assigned to them, such as `.max_entries = 1`, would go unheard. */
function refuseNumbers(file: ObjectFile, section: ElfSection, { symbol }: PlacedMap): void {
  const start = Number(symbol.value);
  const bytes = section.data.subarray(start, start + symbol.size);
  const pointers = file.relocations.get(section.index) ?? [];
  const stray = bytes.findIndex(
    (byte, index) =>
      byte !== 0 && !pointers.some(({ offset }) => offset <= start + index && start + index < offset + POINTER_SIZE),
  );
  if (stray === -1) return;
  throw new ObjectError(
    'map-values',
    'a map’s attributes are assigned values',
    { file: file.name, section: section.name, symbol: symbol.name },
    {
      why: `byte ${stray} of it is ${bytes[stray]}, yet only \`values\` may be initialised`,
      fix: 'Give attributes with __uint() and __type(), not with an initialiser.',
    },
  );
}

interface ElementContext {
  readonly maps: readonly PlacedMap[];
  readonly functions: readonly ObjectFunction[];
  readonly programs: boolean;
  readonly refuse: (why: string) => ObjectError;
}

function readElement(
  file: ObjectFile,
  section: ElfSection,
  relocation: ElfRelocation,
  { maps, functions, programs, refuse }: ElementContext,
): Omit<InitialElement, 'index'> {
  const { symbol } = relocation;
  const target = Number(symbol.value) + addendOf(file, section, relocation);
  const name = symbol.name || file.elf.sections[symbol.sectionIndex]?.name || 'something';
  if (programs) {
    const program = functionAt(functions, symbol.sectionIndex, target / SLOT_SIZE);
    if (program?.program === true) return { kind: 'program', name: program.name };
    throw refuse(
      program === undefined
        ? `${name} is no program`
        : `${program.name} is a subprogram, and only programs can be called so`,
    );
  }
  const map = maps.find((one) => symbol.sectionIndex === section.index && Number(one.symbol.value) === target);
  if (map === undefined) throw refuse(`${name} is no map of this object`);
  return { kind: 'map', name: map.symbol.name };
}

/** What is to be added to the symbol: it stands in a RELA section's entry, and for REL at the place itself. */
function addendOf(file: ObjectFile, section: ElfSection, { offset, addend }: ElfRelocation): number {
  if (addend !== null) return Number(addend);
  if (offset + POINTER_SIZE > section.data.length) return 0;
  return Number(new ByteReader(section.data, file.elf.byteOrder, section.name).seek(offset).i64());
}
