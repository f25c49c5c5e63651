import { FormatError } from '../errors.ts';
import type { BtfHeader } from './header.ts';
import { BTF_KINDS, KIND_LAYOUTS, type KindLayout } from './kinds.ts';
import { wordsOf } from './words.ts';

/** Where each type of a BTF blob starts; made in one pass, without looking into the types. */
export interface TypeIndex {
  readonly count: number;
  /** By position (id minus the first id): offset in bytes from the start of the type section. */
  readonly offsets: Uint32Array;
  /** By position: kind number. */
  readonly kinds: Uint8Array;
  /** By position: string offset of the name. Made when first asked for: few lookups need those of all types. */
  readonly names: Uint32Array;
  /** String offset of one type's name, by its position. */
  readonly nameOf: (position: number) => number;
}

/**
 * Finds every type. A kind that this version does not know is stepped over if the blob's layout section gives its size.
 * Throws {@link FormatError} for an unknown kind of unknown size, and for a type that leaves the section.
 */
export function indexTypes(header: BtfHeader, where: string): TypeIndex {
  const { types } = header;
  // An array of words is read many times faster than a DataView as long as nothing is compiled, and a kernel has 120,000 types.
  const words = wordsOf(types, header.byteOrder);
  const { once, each } = sizesByKind(header.layout);
  // Memory beside the heap brings a full garbage collection nearer, which takes longer than all of this: no more than is likely to be used.
  let room = Math.ceil(types.length / USUAL_SIZE) + 1;
  let offsets = new Uint32Array(room);
  let kinds = new Uint8Array(room);
  const end = types.length;
  let count = 0;
  let offset = 0;
  while (offset + TYPE_SIZE <= end) {
    const info = words[(offset >>> 2) + 1] ?? 0;
    const kind = (info >>> 24) & 0x7f;
    const fixed = once[kind] ?? UNKNOWN;
    const next = offset + fixed + (info & 0xff_ffff) * (each[kind] ?? 0);
    if (fixed === UNKNOWN || next > end || next % 4 !== 0) break;
    if (count === room) {
      room = Math.floor(types.length / TYPE_SIZE);
      [offsets, kinds] = [enlarge(offsets, new Uint32Array(room)), enlarge(kinds, new Uint8Array(room))];
    }
    offsets[count] = offset;
    kinds[count] = kind;
    count += 1;
    offset = next;
  }
  if (offset !== end) refuse(header, where, count, offset, words[(offset >>> 2) + 1] ?? 0);
  return new Types(words, offsets.subarray(0, count), kinds.subarray(0, count));
}

class Types implements TypeIndex {
  readonly count: number;
  readonly offsets: Uint32Array;
  readonly kinds: Uint8Array;
  readonly #words: Uint32Array;
  #names: Uint32Array | undefined;

  constructor(words: Uint32Array, offsets: Uint32Array, kinds: Uint8Array) {
    this.#words = words;
    this.offsets = offsets;
    this.kinds = kinds;
    this.count = offsets.length;
  }

  get names(): Uint32Array {
    this.#names ??= this.#readNames();
    return this.#names;
  }

  nameOf(position: number): number {
    return this.#words[(this.offsets[position] ?? 0) >>> 2] ?? 0;
  }

  #readNames(): Uint32Array {
    const [words, offsets] = [this.#words, this.offsets];
    const names = new Uint32Array(offsets.length);
    for (let position = 0; position < names.length; position++) {
      names[position] = words[(offsets[position] ?? 0) >>> 2] ?? 0;
    }
    return names;
  }
}

function enlarge<T extends Uint32Array | Uint8Array>(from: T, to: T): T {
  to.set(from);
  return to;
}

/** Bytes that a type takes on average, less a little: 27 in the BTF of a kernel. */
const USUAL_SIZE = 24;

/** `struct btf_type`. */
const TYPE_SIZE = 12;

const UNKNOWN = 0;

/** Bytes of a type by kind: those of `struct btf_type` and what follows it once, 0 for a kind of unknown size; and those of each element. */
function sizesByKind(layout: readonly KindLayout[] | null): { once: Uint32Array; each: Uint32Array } {
  const once = new Uint32Array(KINDS);
  const each = new Uint32Array(KINDS);
  for (let kind = 1; kind < KINDS; kind++) {
    const sizes = kind < BTF_KINDS.length ? KIND_LAYOUTS[kind] : layout?.[kind];
    if (sizes === undefined) continue;
    once[kind] = TYPE_SIZE + sizes.once;
    each[kind] = sizes.each;
  }
  return { once, each };
}

/** A kind has 7 bits. */
const KINDS = 128;

/** Says what is wrong with the type at `offset`. */
function refuse({ types, typesOffset, layout }: BtfHeader, where: string, id: number, offset: number, info: number) {
  const left = types.length - offset;
  const position = { section: '.BTF', offset: typesOffset + offset };
  if (left < TYPE_SIZE) {
    throw new FormatError('btf-truncated', 'the last type is cut off', position, {
      where,
      why: `${left} bytes are left`,
    });
  }
  const kind = (info >>> 24) & 0x7f;
  const { once, each } = sizesByKind(layout);
  const fixed = once[kind] ?? UNKNOWN;
  if (fixed === UNKNOWN) {
    throw new FormatError('btf-unknown-kind', `unknown BTF kind ${kind}`, position, {
      where,
      why: `type ${id} of this BTF has it, and the BTF does not say how long it is`,
      fix: 'Either the BTF is damaged, or it is newer than this version of ksym-matrix.',
    });
  }
  const name = BTF_KINDS[kind] ?? `kind ${kind}`;
  const size = fixed + (info & 0xff_ffff) * (each[kind] ?? 0);
  if (size <= left) {
    const why = `it takes ${size} bytes, which is no multiple of 4`;
    throw new FormatError('btf-unaligned', `what follows a ${name} is not aligned`, position, { where, why });
  }
  const why = `it takes ${size} bytes, ${left} are left`;
  throw new FormatError('btf-truncated', `a ${name} is cut off`, position, { where, why });
}
