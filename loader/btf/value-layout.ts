import { ExplainedError, FormatError } from '../errors.ts';
import type { Btf } from './btf.ts';
import type { BtfType, IntType, TypeId } from './types.ts';

/** A place in a value: bits from the start of the whole value, in the order that BTF counts them. */
export interface BitRange {
  readonly offset: number;
  readonly size: number;
}

/** A named or unnamed part of a struct, union or data section. */
export interface Part {
  readonly name: string;
  readonly type: TypeId;
  readonly bitOffset: number;
  /** Width of a bit field, else 0. */
  readonly bitSize: number;
}

/** Members of a struct or union; the variables of a data section as if it were a struct. Undefined for other kinds. */
export function partsOf(btf: Btf, type: BtfType): readonly Part[] | undefined {
  if (type.kind === 'struct' || type.kind === 'union') return type.members;
  if (type.kind !== 'datasec') return undefined;
  return type.entries.map((entry) => {
    const { name } = btf.type(entry.type);
    return { name, type: entry.type, bitOffset: entry.offset * 8, bitSize: 0 };
  });
}

/** What a value is of: past qualifiers, typedefs and the variable itself. Throws FormatError as {@link Btf.resolve}. */
export function valueType(btf: Btf, id: TypeId): BtfType {
  const type = btf.resolve(id);
  return type.kind === 'var' ? btf.resolve(type.type) : type;
}

/** The bits of an integer within its bytes, if it does not take all of them: how compilers before BTF's kind flag wrote bit fields. */
export function ownBits(type: IntType): BitRange | undefined {
  return type.bitOffset === 0 && type.bits === type.size * 8 ? undefined : { offset: type.bitOffset, size: type.bits };
}

/** Whether arrays of it are text: `char`, which compilers mark in BTF by its name rather than by BTF_INT_CHAR. */
export function isCharacter(type: BtfType): boolean {
  return type.kind === 'int' && type.size === 1 && !type.bool && (type.char || type.name === 'char');
}

/**
 * Reads bits as a number without sign. In a big-endian value BTF counts them from the most significant one of the first byte, in a
 * little-endian one from the least significant (btf_dump_get_bitfield_value in libbpf's src/btf_dump.c).
 */
export function readBits(bytes: Uint8Array, { offset, size }: BitRange, little: boolean): bigint {
  const first = offset >>> 3;
  const end = (offset + size + 7) >>> 3;
  let value = 0n;
  for (let at = 0; at < end - first; at++) {
    value = (value << 8n) | BigInt(bytes[little ? end - 1 - at : first + at] ?? 0);
  }
  const below = little ? offset & 7 : end * 8 - offset - size;
  return BigInt.asUintN(size, value >> BigInt(below));
}

/** The opposite of {@link readBits}; bits around them stay. */
export function writeBits(bytes: Uint8Array, { offset, size }: BitRange, value: bigint, little: boolean): void {
  const first = offset >>> 3;
  const end = (offset + size + 7) >>> 3;
  const below = BigInt(little ? offset & 7 : end * 8 - offset - size);
  const mask = ((1n << BigInt(size)) - 1n) << below;
  const bits = BigInt.asUintN(size, value) << below;
  for (let at = 0; at < end - first; at++) {
    const position = little ? first + at : end - 1 - at;
    const shift = BigInt(at * 8);
    const kept = (bytes[position] ?? 0) & ~Number((mask >> shift) & 0xffn);
    bytes[position] = kept | Number((bits >> shift) & 0xffn);
  }
}

/** Counts the values that are read or written, since damaged BTF may nest without end. */
export class ValueBudget {
  #left: number;
  #depth = 0;
  readonly #where: string;

  constructor(btf: Btf, size: number) {
    this.#where = btf.name;
    this.#left = LEAST_VALUES + VALUES_PER_BYTE * size;
  }

  /** Goes into one value. Throws FormatError `btf-type-loop`. */
  enter<T>(visit: () => T): T {
    this.#left -= 1;
    this.#depth += 1;
    if (this.#left < 0 || this.#depth > DEEPEST) {
      const position = { section: '.BTF', offset: 0 };
      const why = this.#left < 0 ? `it has more values than ${LEAST_VALUES} and its bytes` : `it nests ${DEEPEST} deep`;
      throw new FormatError('btf-type-loop', 'a type does not end', position, { where: this.#where, why });
    }
    const result = visit();
    this.#depth -= 1;
    return result;
  }
}

const LEAST_VALUES = 10_000;
/** Unions show the same bytes several times over. */
const VALUES_PER_BYTE = 64;
const DEEPEST = 64;

/** Refuses a part that lies outside of the bytes of what it is a part of. */
export function checkRange(btf: Btf, { offset, size }: BitRange, bytes: Uint8Array): void {
  if (offset + size <= bytes.length * 8) return;
  throw new FormatError(
    'btf-member-outside',
    'a member lies outside of its struct',
    { section: '.BTF', offset: 0 },
    {
      where: btf.name,
      why: `it ends at bit ${offset + size} of ${bytes.length * 8}`,
    },
  );
}

/** `type struct x` or `type int`, for messages. */
export function describe(type: BtfType): string {
  return type.name === '' ? `a ${type.kind}` : `${type.kind} ${type.name}`;
}

/** Refuses types that have no value in JavaScript. */
export function refuseType(btf: Btf, type: BtfType, path: string): never {
  const why = type.kind === 'float' || type.kind === 'int' ? `it takes ${type.size} bytes` : `it is a ${type.kind}`;
  throw new ExplainedError('btf-value-type', `${describe(type)} cannot be read or written as a value`, {
    where: path === '' ? btf.name : path,
    why,
    fix: 'use its bytes',
  });
}
