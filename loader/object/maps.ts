import type { Btf } from '../btf/btf.ts';
import type { CompositeType } from '../btf/types.ts';
import type { ElfSection, ElfSymbol } from '../elf/elf.ts';
import { ObjectError } from '../errors.ts';
import type { ObjectFunction } from './functions.ts';
import { isLegacyMapSection, refuseLegacyMaps } from './legacy-maps.ts';
import { type MapDefinition, type RefuseMap, readMapDefinition } from './map-definition.ts';
import { type PlacedMap, readInitialElements } from './map-values.ts';
import type { ObjectFile } from './object-file.ts';
import type { MapSpec } from './spec.ts';

/** The maps of `.maps`, and the name of each by its offset in that section. */
export interface BtfMaps {
  readonly maps: readonly MapSpec[];
  readonly names: ReadonlyMap<number, string>;
}

const MAPS_SECTION = '.maps';

/**
 * Reads the BTF-defined maps of `.maps`: each is a variable of a struct type whose members say what to create. What relocations of the section point to
 * are the elements that maps of maps and program arrays begin with.
 * @throws ObjectError, naming the map, for what cannot be created: `legacy-maps`, `maps-without-btf`, `map-values`, and what {@link readMapDefinition} refuses.
 */
export function readMaps(file: ObjectFile, functions: readonly ObjectFunction[]): BtfMaps {
  const legacy = file.elf.sections.find(isLegacyMapSection);
  if (legacy !== undefined) throw refuseLegacyMaps(file, legacy);
  const section = file.elf.sections.find((one) => one.name === MAPS_SECTION);
  if (section === undefined) return { maps: [], names: new Map() };
  const placed: PlacedMap[] = file.elf.symbols
    .filter((symbol) => symbol.sectionIndex === section.index && symbol.type === 'object')
    .sort((a, b) => Number(a.value - b.value))
    .map((symbol) => ({ symbol, definition: readMap(file, section, symbol) }));
  const initial = readInitialElements(file, section, placed, functions);
  return {
    maps: placed.map(({ definition }) => {
      const elements = initial.get(definition.spec.name);
      return elements === undefined ? definition.spec : { ...definition.spec, initial: elements };
    }),
    names: new Map(placed.map(({ symbol }) => [Number(symbol.value), symbol.name])),
  };
}

function readMap(file: ObjectFile, section: ElfSection, symbol: ElfSymbol): MapDefinition {
  const { name } = symbol;
  const refuse: RefuseMap = (code, what, why, fix) => {
    const position = { file: file.name, section: section.name, symbol: name };
    return new ObjectError(code, what, position, { why, ...(fix === undefined ? {} : { fix }) });
  };
  if (file.btf === null) {
    throw refuse('maps-without-btf', `map ${name} has no definition`, 'the object has no BTF', 'Compile with -g.');
  }
  return readMapDefinition(file.btf, name, findDefinition(file.btf, name, refuse), refuse);
}

function findDefinition(btf: Btf, name: string, refuse: RefuseMap): CompositeType {
  const variable = btf
    .find(MAPS_SECTION, 'datasec')
    ?.entries.map((entry) => btf.type(entry.type))
    .find((type) => type.name === name);
  if (variable?.kind !== 'var') {
    throw refuse('map-definition', `map ${name} has no definition`, 'the BTF of .maps does not list it');
  }
  const definition = btf.resolve(variable.type);
  if (definition.kind === 'struct') return definition;
  throw refuse('map-definition', `map ${name} is not defined by a struct`, `its type is of kind ${definition.kind}`);
}
