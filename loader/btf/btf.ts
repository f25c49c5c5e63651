import type { ByteOrder } from '../bytes.ts';
import { ByteReader } from '../bytes.ts';
import { ExplainedError, FormatError } from '../errors.ts';
import { type BtfHeader, readBtfHeader } from './header.ts';
import { inflateType } from './inflate.ts';
import { BTF_KINDS, type BtfOfKind, isKind, kindNumber } from './kinds.ts';
import { NameIndex } from './name-index.ts';
import { StringSection } from './strings.ts';
import { indexTypes, type TypeIndex } from './type-index.ts';
import type { BtfKind, BtfType, TypeId } from './types.ts';

export type { BtfOfKind } from './kinds.ts';
export type { BtfType, TypeId } from './types.ts';

/** How many modifiers, typedefs and arrays may follow each other: libbpf's MAX_RESOLVE_DEPTH (src/btf.c). */
export const MAX_RESOLVE_DEPTH = 32;

/** Bytes of a pointer on BPF and on every kernel with BTF that this library loads into. */
const POINTER_SIZE = 8;

/**
 * A BTF blob: of an object (`.BTF`), of a kernel (`/sys/kernel/btf/vmlinux`), or of a module (split BTF, which goes on where
 * its base ends). Parsing finds where each type starts; a type is inflated when it is first asked for, and then kept.
 */
export class Btf {
  /** Name for messages: a file, `vmlinux`, a module. */
  readonly name: string;
  readonly byteOrder: ByteOrder;
  readonly base: Btf | null;
  /** The first id of its own: 1, or where the base ends. */
  readonly firstId: TypeId;
  /** One past the last id. */
  readonly endId: TypeId;
  /** The blob as it was given. */
  readonly bytes: Uint8Array;
  readonly #reader: ByteReader;
  readonly #index: TypeIndex;
  readonly #strings: StringSection;
  readonly #names: NameIndex;
  readonly #types: (BtfType | undefined)[] = [];

  private constructor(bytes: Uint8Array, name: string, base: Btf | null, header: BtfHeader) {
    this.bytes = bytes;
    this.name = name;
    this.base = base;
    this.byteOrder = header.byteOrder;
    this.#reader = new ByteReader(header.types, header.byteOrder, '.BTF', header.typesOffset);
    this.#index = indexTypes(header, name);
    this.#strings = new StringSection(header.strings, name, base === null ? null : base.#strings);
    this.#names = new NameIndex(this.#index, this.#strings);
    this.firstId = base === null ? 1 : base.endId;
    this.endId = this.firstId + this.#index.count;
  }

  /**
   * Parses a blob of either byte order. `base` makes it split BTF. Throws {@link FormatError} for a damaged header, and for
   * types that are cut off or of unknown kind; ids and string offsets inside of types are checked when a type is inflated.
   */
  static parse(bytes: Uint8Array, options: { readonly base?: Btf; readonly name?: string } = {}): Btf {
    const name = options.name ?? 'BTF';
    const base = options.base ?? null;
    const header = readBtfHeader(bytes, name, base !== null);
    if (base !== null && base.byteOrder !== header.byteOrder) {
      throw new FormatError(
        'btf-byte-order',
        'split BTF in another byte order than its base',
        { section: '.BTF', offset: 0 },
        {
          where: name,
          why: `it is ${header.byteOrder}-endian, ${base.name} is ${base.byteOrder}-endian`,
        },
      );
    }
    return new Btf(bytes, name, base, header);
  }

  /** The type with this id; ids below {@link Btf.firstId} come from the base, and 0 is `void`. Throws {@link FormatError}. */
  type(id: TypeId): BtfType {
    if (id === 0) {
      return VOID;
    }
    if (this.base !== null && id < this.firstId) {
      return this.base.type(id);
    }
    const position = id - this.firstId;
    const known = this.#types[position];
    if (known !== undefined) {
      return known;
    }
    const offset = this.#index.offsets[position];
    if (offset === undefined) {
      throw new FormatError(
        'btf-type-id',
        `there is no type ${id}`,
        { section: '.BTF', offset: 0 },
        {
          where: this.name,
          why: `ids end at ${this.endId}`,
        },
      );
    }
    const context = { where: this.name, endId: this.endId, string: (at: number) => this.string(at) };
    const type = inflateType(this.#reader.seek(offset), id, context);
    this.#types[position] = type;
    return type;
  }

  /** The string at an offset; in split BTF the base's strings come first. Throws {@link FormatError}. */
  string(offset: number): string {
    return this.#strings.at(offset);
  }

  /** One past the last string offset, the base's strings included. */
  get stringsEnd(): number {
    return this.#strings.end;
  }

  /** An offset at which this string stands; undefined if it stands at none. */
  stringOffset(text: string): number | undefined {
    return text.includes('\0') ? undefined : this.#strings.offsetOf(text);
  }

  /** The first type with this name and kind: its own, else one of the base (unless `own`). */
  find<K extends BtfKind>(name: string, kind: K, options: { readonly own?: boolean } = {}): BtfOfKind<K> | undefined {
    for (const type of this.#named(name, kind)) {
      return type;
    }
    return options.own === true ? undefined : this.base?.find(name, kind);
  }

  /** All types with this name and kind: its own by ascending id, then those of the base (unless `own`). */
  findAll<K extends BtfKind>(name: string, kind: K, options: { readonly own?: boolean } = {}): BtfOfKind<K>[] {
    const own = [...this.#named(name, kind)];
    return options.own === true || this.base === null ? own : [...own, ...this.base.findAll(name, kind)];
  }

  /** Its own types by ascending id, without the base's and without those of a kind that this version does not know. */
  *types(): IterableIterator<BtfType> {
    for (let position = 0; position < this.#index.count; position += 1) {
      if (BTF_KINDS[this.#index.kinds[position] ?? 0] !== undefined) {
        yield this.type(this.firstId + position);
      }
    }
  }

  /** How many types of a kind there are, without the base's. Inflates nothing. */
  count(kind: BtfKind): number {
    const wanted = kindNumber(kind);
    const { kinds } = this.#index;
    let count = 0;
    for (let at = kinds.indexOf(wanted); at !== -1; at = kinds.indexOf(wanted, at + 1)) count += 1;
    return count;
  }

  /** Its own types of one kind by ascending id, without the base's; no other is inflated. */
  *ofKind<K extends BtfKind>(kind: K): IterableIterator<BtfOfKind<K>> {
    const wanted = kindNumber(kind);
    const { kinds } = this.#index;
    for (let at = kinds.indexOf(wanted); at !== -1; at = kinds.indexOf(wanted, at + 1)) {
      const type = this.type(this.firstId + at);
      if (isKind(type, kind)) yield type;
    }
  }

  /**
   * Skips const, volatile, restrict, type tags and typedefs, as libbpf's skip_mods_and_typedefs (src/libbpf.c) does.
   * Throws {@link FormatError} `btf-type-loop` where they do not end after {@link MAX_RESOLVE_DEPTH} steps.
   */
  resolve(id: TypeId): BtfType {
    let type = this.type(id);
    for (let depth = 0; isModifier(type); depth += 1) {
      if (depth >= MAX_RESOLVE_DEPTH) {
        this.#refuseLoop(id);
      }
      type = this.type(type.type);
    }
    return type;
  }

  /**
   * Size in bytes of a value of the type; pointers take 8. As libbpf's btf__resolve_size (src/btf.c), a VAR has its type's.
   * Throws {@link ExplainedError} `btf-no-size` for functions, `void`, forward declarations and declaration tags.
   */
  sizeOf(id: TypeId): number {
    let factor = 1;
    let type = this.type(id);
    for (let depth = 0; depth <= MAX_RESOLVE_DEPTH; depth += 1) {
      if (isModifier(type) || type.kind === 'var') {
        type = this.type(type.type);
      } else if (type.kind === 'array') {
        factor *= type.length;
        type = this.type(type.type);
      } else {
        const size =
          (type.kind === 'ptr' ? POINTER_SIZE : 'size' in type ? type.size : this.#refuseSize(type)) * factor;
        return size <= LARGEST_SIZE ? size : this.#refuseSize(type);
      }
    }
    return this.#refuseLoop(id);
  }

  *#named<K extends BtfKind>(name: string, kind: K): IterableIterator<BtfOfKind<K>> {
    for (const position of this.#names.positions(name, kindNumber(kind))) {
      const type = this.type(this.firstId + position);
      if (isKind(type, kind)) yield type;
    }
  }

  #refuseLoop(id: TypeId): never {
    const offset = this.#index.offsets[id - this.firstId] ?? 0;
    throw new FormatError('btf-type-loop', `type ${id} does not end`, this.#reader.at(offset), {
      where: this.name,
      why: `more than ${MAX_RESOLVE_DEPTH} modifiers, typedefs or arrays refer to each other`,
    });
  }

  #refuseSize(type: BtfType): never {
    throw new ExplainedError('btf-no-size', `type ${type.id} (${type.kind} "${type.name}") has no size`, {
      where: this.name,
      why:
        'size' in type ? 'an array of it would be larger than 4 GiB' : `a ${type.kind} cannot be the type of a value`,
    });
  }
}

const VOID: BtfType = { kind: 'void', id: 0, name: '' };

/** Sizes in BTF have 32 bits. */
const LARGEST_SIZE = 0xffff_ffff;

type Modifier = BtfOfKind<'typedef'>;

function isModifier(type: BtfType): type is Modifier {
  switch (type.kind) {
    case 'typedef':
    case 'const':
    case 'volatile':
    case 'restrict':
    case 'type_tag':
      return true;
    default:
      return false;
  }
}
