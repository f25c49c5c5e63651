import type { Btf } from '../btf/btf.ts';
import { formatType } from '../btf/format.ts';
import type { BtfType, Member, TypeId } from '../btf/types.ts';
import type { ElfSection, ElfSymbol } from '../elf/elf.ts';
import { ObjectError } from '../errors.ts';
import type { ObjectFile } from './object-file.ts';
import type { MapSpec } from './spec.ts';

/** The maps of `.maps`, and the name of each by its offset in that section. */
export interface BtfMaps {
  readonly maps: readonly MapSpec[];
  readonly names: ReadonlyMap<number, string>;
}

/**
 * Reads the BTF-defined maps of `.maps`: each is a variable of a struct type whose members say what to create. `__uint(name, n)`
 * is a pointer to an array of `n` elements, `__type(name, T)` a pointer to `T` (`bpf_helpers.h` of libbpf; parse_btf_map_def in `src/libbpf.c`).
 * @throws ObjectError, naming the map, for what cannot be created: `legacy-maps`, `maps-without-btf`, `map-definition`,
 *   `map-attribute-unsupported`, `map-attribute-conflict`, `map-without-type`.
 */
export function readMaps(file: ObjectFile): BtfMaps {
  const legacy = file.elf.sections.find((section) => section.name === 'maps');
  if (legacy !== undefined) {
    throw new ObjectError(
      'legacy-maps',
      'maps in the old format cannot be loaded',
      { file: file.name, section: 'maps' },
      {
        why: 'struct bpf_map_def in section "maps" carries no types and each loader extended it differently; libbpf 1.0 dropped it as well',
        fix: 'Define them in SEC(".maps") with __uint() and __type() of <bpf/bpf_helpers.h>.',
      },
    );
  }
  const section = file.elf.sections.find((one) => one.name === '.maps');
  if (section === undefined) return { maps: [], names: new Map() };
  const names = new Map<number, string>();
  const maps: MapSpec[] = [];
  const symbols = file.elf.symbols
    .filter((symbol) => symbol.sectionIndex === section.index && symbol.type === 'object')
    .sort((a, b) => Number(a.value - b.value));
  for (const symbol of symbols) {
    maps.push(readMap(file, section, symbol));
    names.set(Number(symbol.value), symbol.name);
  }
  return { maps, names };
}

/** The numbers that `__uint` may give, and where each goes. */
const NUMBERS = {
  type: 'type',
  max_entries: 'maxEntries',
  map_flags: 'flags',
  key_size: 'keySize',
  value_size: 'valueSize',
} as const;

type Attributes = { -readonly [K in keyof MapSpec]?: MapSpec[K] };

/** Attributes that libbpf knows and this loader does not, with the reason. */
const UNSUPPORTED: ReadonlyMap<string, string> = new Map([
  ['values', 'maps of maps and program arrays with initial values are not supported'],
  ['pinning', 'pinned maps are not supported'],
  ['numa_node', 'choosing a NUMA node is not supported'],
  ['map_extra', 'map_extra is not supported'],
]);

function readMap(file: ObjectFile, section: ElfSection, symbol: ElfSymbol): MapSpec {
  const refuse = (code: string, what: string, why: string, fix?: string): ObjectError =>
    new ObjectError(
      code,
      what,
      { file: file.name, section: section.name, symbol: symbol.name },
      {
        why,
        ...(fix === undefined ? {} : { fix }),
      },
    );
  if (file.btf === null) {
    throw refuse(
      'maps-without-btf',
      `map ${symbol.name} has no definition`,
      'the object has no BTF',
      'Compile with -g.',
    );
  }
  const members = readDefinition(file.btf, section, symbol, refuse);
  const attributes: Attributes = {};
  for (const member of members) applyMember(file.btf, symbol, member, attributes, refuse);
  if (attributes.type === undefined) {
    throw refuse('map-without-type', `map ${symbol.name} has no type`, 'its definition lacks __uint(type, …)');
  }
  return {
    name: symbol.name,
    type: attributes.type,
    keySize: attributes.keySize ?? 0,
    valueSize: attributes.valueSize ?? 0,
    maxEntries: attributes.maxEntries ?? 0,
    flags: attributes.flags ?? 0,
    keyTypeId: attributes.keyTypeId ?? null,
    valueTypeId: attributes.valueTypeId ?? null,
    data: null,
    frozen: false,
  };
}

type Refuse = (code: string, what: string, why: string, fix?: string) => ObjectError;

function readDefinition(btf: Btf, section: ElfSection, symbol: ElfSymbol, refuse: Refuse): readonly Member[] {
  const variable = btf
    .find(section.name, 'datasec')
    ?.entries.map((entry) => btf.type(entry.type))
    .find((type) => type.name === symbol.name);
  if (variable?.kind !== 'var') {
    throw refuse('map-definition', `map ${symbol.name} has no definition`, 'the BTF of .maps does not list it');
  }
  const definition = btf.resolve(variable.type);
  if (definition.kind !== 'struct') {
    throw refuse(
      'map-definition',
      `map ${symbol.name} is not defined by a struct`,
      `its type is of kind ${definition.kind}`,
    );
  }
  return definition.members;
}

function applyMember(btf: Btf, symbol: ElfSymbol, member: Member, attributes: Attributes, refuse: Refuse): void {
  const attribute = member.name;
  const pointee = pointeeOf(btf, member.type);
  if (isNumber(attribute)) {
    if (pointee?.kind !== 'array') {
      throw refuse(
        'map-definition',
        `attribute ${attribute} of map ${symbol.name} is no number`,
        'it is not declared with __uint()',
      );
    }
    set(symbol, attributes, NUMBERS[attribute], pointee.length, attribute, refuse);
    return;
  }
  if (attribute === 'key' || attribute === 'value') {
    if (pointee === undefined) {
      throw refuse(
        'map-definition',
        `attribute ${attribute} of map ${symbol.name} is no type`,
        'it is not declared with __type()',
      );
    }
    if (pointee.kind === 'void' || pointee.kind === 'fwd' || pointee.kind === 'func_proto') {
      throw refuse(
        'map-definition',
        `the ${attribute} of map ${symbol.name} has no size`,
        `its type is ${formatType(btf, pointee.id)}`,
      );
    }
    const typeId = pointerTarget(btf, member.type);
    attributes[attribute === 'key' ? 'keyTypeId' : 'valueTypeId'] = typeId;
    set(symbol, attributes, attribute === 'key' ? 'keySize' : 'valueSize', btf.sizeOf(typeId), attribute, refuse);
    return;
  }
  throw refuse(
    'map-attribute-unsupported',
    `attribute ${attribute} of map ${symbol.name} cannot be honoured`,
    UNSUPPORTED.get(attribute) ?? 'no attribute of that name is known',
    `These are known: ${[...Object.keys(NUMBERS), 'key', 'value'].join(', ')}.`,
  );
}

function isNumber(attribute: string): attribute is keyof typeof NUMBERS {
  return Object.hasOwn(NUMBERS, attribute);
}

function set(
  symbol: ElfSymbol,
  attributes: Attributes,
  field: (typeof NUMBERS)[keyof typeof NUMBERS],
  value: number,
  attribute: string,
  refuse: Refuse,
): void {
  const before = attributes[field];
  if (before !== undefined && before !== value) {
    throw refuse(
      'map-attribute-conflict',
      `map ${symbol.name} says two things about ${field}`,
      `${attribute} gives ${value}, an attribute before it ${before}`,
    );
  }
  attributes[field] = value;
}

function pointerTarget(btf: Btf, typeId: TypeId): TypeId {
  const pointer = btf.resolve(typeId);
  return pointer.kind === 'ptr' ? pointer.type : 0;
}

function pointeeOf(btf: Btf, typeId: TypeId): BtfType | undefined {
  return btf.resolve(typeId).kind === 'ptr' ? btf.resolve(pointerTarget(btf, typeId)) : undefined;
}
