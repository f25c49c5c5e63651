import type { Btf } from '../btf/btf.ts';
import { formatType } from '../btf/format.ts';
import type { BtfType, CompositeType, Member, TypeId } from '../btf/types.ts';
import type { ObjectError } from '../errors.ts';
import { isMapOfMaps, mapTypeNumber } from './map-types.ts';
import type { MapSpec } from './spec.ts';

/** Makes the error about one map: code, what, why and what to do. */
export type RefuseMap = (code: string, what: string, why: string, fix?: string) => ObjectError;

/** A map as its struct describes it, and where in the struct its elements are initialised. */
export interface MapDefinition {
  readonly spec: MapSpec;
  /** Offset in bytes of `values` within the variable; null if there is no such member. */
  readonly valuesOffset: number | null;
}

/**
 * Reads the struct that defines a map. `__uint(name, n)` is a pointer to an array of `n` elements, `__type(name, T)` a pointer to `T`, `__array(name, T)`
 * an array of unknown length of pointers to `T`, `__ulong(name, n)` an enumeration with one value (`bpf_helpers.h` of libbpf; parse_btf_map_def in `src/libbpf.c`).
 * @param inner true for what the elements of a map of maps look like
 * @throws ObjectError `map-definition`, `map-attribute-unsupported`, `map-attribute-conflict`, `map-without-type`, `map-values`, `map-pinning`.
 */
export function readMapDefinition(
  btf: Btf,
  name: string,
  definition: CompositeType,
  refuse: RefuseMap,
  inner = false,
): MapDefinition {
  const reader = new DefinitionReader(btf, name, refuse, inner);
  for (const member of definition.members) reader.read(member, member === definition.members.at(-1));
  return reader.finish();
}

/** The numbers that `__uint` may give, and where each goes. */
const NUMBERS = {
  type: 'type',
  max_entries: 'maxEntries',
  map_flags: 'flags',
  key_size: 'keySize',
  value_size: 'valueSize',
  numa_node: 'numaNode',
} as const;

const KNOWN = [...Object.keys(NUMBERS), 'key', 'value', 'values', 'map_extra', 'pinning'];
/** Bytes of a map's or program's descriptor, which is what user space writes as the value of maps that hold such. */
const DESCRIPTOR_SIZE = 4;

type Attributes = { -readonly [K in keyof MapSpec]?: MapSpec[K] };

class DefinitionReader {
  readonly #btf: Btf;
  readonly #name: string;
  readonly #refuse: RefuseMap;
  readonly #inner: boolean;
  readonly #attributes: Attributes = {};
  #valuesOffset: number | null = null;

  constructor(btf: Btf, name: string, refuse: RefuseMap, inner: boolean) {
    this.#btf = btf;
    this.#name = name;
    this.#refuse = refuse;
    this.#inner = inner;
  }

  read(member: Member, last: boolean): void {
    const attribute = member.name;
    if (isNumber(attribute)) this.#set(NUMBERS[attribute], this.#number(member), attribute);
    else if (attribute === 'key' || attribute === 'value') this.#readType(member, attribute);
    else if (attribute === 'values') this.#readValues(member, last);
    else if (attribute === 'map_extra') this.#attributes.mapExtra = this.#longNumber(member);
    else if (attribute === 'pinning') this.#readPinning(member);
    else {
      throw this.#refuse(
        'map-attribute-unsupported',
        `attribute ${attribute} of map ${this.#name} cannot be honoured`,
        'no attribute of that name is known',
        `These are known: ${KNOWN.join(', ')}.`,
      );
    }
  }

  finish(): MapDefinition {
    const { type, keySize = 0, valueSize = 0, maxEntries = 0, flags = 0, ...rest } = this.#attributes;
    if (type === undefined || type === 0) {
      throw this.#refuse('map-without-type', `map ${this.#name} has no type`, 'its definition lacks __uint(type, …)');
    }
    return {
      spec: {
        name: this.#name,
        type,
        keySize,
        valueSize,
        maxEntries,
        flags,
        keyTypeId: null,
        valueTypeId: null,
        ...rest,
        data: null,
        frozen: false,
      },
      valuesOffset: this.#valuesOffset,
    };
  }

  #number(member: Member): number {
    const pointee = this.#pointee(member);
    if (pointee?.kind === 'array') return pointee.length;
    throw this.#wrong(`attribute ${member.name} of map ${this.#name} is no number`, 'it is not declared with __uint()');
  }

  /** `__ulong`, or `__uint` where that is wide enough. */
  #longNumber(member: Member): number | bigint {
    const type = this.#btf.resolve(member.type);
    if (type.kind !== 'enum' && type.kind !== 'enum64') return this.#number(member);
    const [value, ...more] = type.values;
    if (value === undefined || more.length > 0) {
      const why = `it is an enumeration of ${type.values.length} values: it is not declared with __ulong()`;
      throw this.#wrong(`attribute ${member.name} of map ${this.#name} is no number`, why);
    }
    const unsigned = BigInt.asUintN(64, BigInt(value.value));
    return unsigned <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(unsigned) : unsigned;
  }

  #readType(member: Member, attribute: 'key' | 'value'): void {
    const pointee = this.#pointee(member);
    if (pointee === undefined) {
      throw this.#wrong(`attribute ${attribute} of map ${this.#name} is no type`, 'it is not declared with __type()');
    }
    const typeId = this.#target(member.type);
    if (pointee.kind === 'void' || pointee.kind === 'fwd' || pointee.kind === 'func_proto') {
      throw this.#wrong(
        `the ${attribute} of map ${this.#name} has no size`,
        `its type is ${formatType(this.#btf, pointee.id)}`,
      );
    }
    this.#attributes[attribute === 'key' ? 'keyTypeId' : 'valueTypeId'] = typeId;
    this.#set(attribute === 'key' ? 'keySize' : 'valueSize', this.#btf.sizeOf(typeId), attribute);
  }

  #readValues(member: Member, last: boolean): void {
    const refuse = (why: string, fix?: string): ObjectError =>
      this.#refuse('map-values', `map ${this.#name} cannot have values`, why, fix);
    const programs = this.#attributes.type === mapTypeNumber('prog_array');
    const maps = isMapOfMaps(this.#attributes.type ?? 0);
    if (this.#inner)
      throw refuse('it describes the elements of another map, and maps of maps are two levels deep at most');
    if (!last) throw refuse('`values` is not the last member of its definition, and it has no length');
    if (!programs && !maps) {
      throw refuse('only maps of maps and program arrays hold something that has a name', 'Put __uint(type, …) first.');
    }
    this.#set('valueSize', DESCRIPTOR_SIZE, 'values');
    const array = this.#btf.resolve(member.type);
    const pointer = array.kind === 'array' && array.length === 0 ? this.#btf.resolve(array.type) : undefined;
    const element = pointer?.kind === 'ptr' ? this.#btf.resolve(pointer.type) : undefined;
    if (element === undefined) throw refuse('it is not declared with __array()');
    this.#valuesOffset = member.bitOffset / 8;
    if (programs && element.kind !== 'func_proto') {
      throw refuse(`an element is a ${element.kind}, not a function`, 'Write __array(values, void (void)).');
    }
    if (programs) return;
    if (element.kind !== 'struct') throw refuse(`an element is a ${element.kind}, not the struct that defines a map`);
    const inner = readMapDefinition(this.#btf, `${this.#name}.inner`, element, this.#refuse, true);
    this.#attributes.inner = inner.spec;
  }

  #readPinning(member: Member): void {
    const value = this.#number(member);
    if (this.#inner || value > 1) {
      const why = this.#inner
        ? 'it is the element of another map'
        : `0 is no pinning, 1 pinning by name, ${value} nothing`;
      throw this.#refuse('map-pinning', `map ${this.#name} cannot be pinned so`, why);
    }
    if (value === 1) this.#attributes.pinning = 'by-name';
  }

  #set(field: (typeof NUMBERS)[keyof typeof NUMBERS], value: number, attribute: string): void {
    const before = this.#attributes[field];
    if (before !== undefined && before !== value && before !== 0) {
      throw this.#refuse(
        'map-attribute-conflict',
        `map ${this.#name} says two things about ${field}`,
        `${attribute} gives ${value}, an attribute before it ${before}`,
      );
    }
    this.#attributes[field] = value;
  }

  #wrong(what: string, why: string): ObjectError {
    return this.#refuse('map-definition', what, why);
  }

  #target(typeId: TypeId): TypeId {
    const pointer = this.#btf.resolve(typeId);
    return pointer.kind === 'ptr' ? pointer.type : 0;
  }

  #pointee(member: Member): BtfType | undefined {
    return this.#btf.resolve(member.type).kind === 'ptr' ? this.#btf.resolve(this.#target(member.type)) : undefined;
  }
}

function isNumber(attribute: string): attribute is keyof typeof NUMBERS {
  return Object.hasOwn(NUMBERS, attribute);
}
