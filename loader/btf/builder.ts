import { type ByteOrder, ByteWriter } from '../bytes.ts';
import { ExplainedError } from '../errors.ts';
import type { Btf } from './btf.ts';
import { TypeWriter } from './type-writer.ts';
import type { NewBtfType, TypeId } from './types.ts';

/** How a {@link BtfBuilder} starts. */
export interface BtfBuilderOptions {
  /** Default: that of the base, or little. */
  readonly byteOrder?: ByteOrder;
  /** Makes split BTF: ids and strings go on where those of the base end, whose strings are used where it has them. */
  readonly base?: Btf;
}

/**
 * Makes BTF from types: of a program that is generated, of a map that is to be typed, of a module's own types over a kernel's.
 *
 * ```ts
 * const builder = new BtfBuilder();
 * const int = builder.add({ kind: 'int', name: 'int', size: 4, bits: 32, bitOffset: 0, signed: true, char: false, bool: false });
 * const list = builder.nextId;
 * builder.add({ kind: 'struct', name: 'list', size: 8, members: [{ name: 'next', type: list + 1, bitOffset: 0, bitSize: 0 }] });
 * builder.add({ kind: 'ptr', name: '', type: list });
 * const btf = Btf.parse(builder.finish());
 * ```
 *
 * Equal strings are written once. Types are not compared: whoever wants one only once keeps its id.
 */
export class BtfBuilder {
  readonly byteOrder: ByteOrder;
  readonly #base: Btf | null;
  readonly #firstId: TypeId;
  readonly #types: NewBtfType[] = [];

  constructor({ base, byteOrder = base?.byteOrder ?? 'little' }: BtfBuilderOptions = {}) {
    this.byteOrder = byteOrder;
    this.#base = base ?? null;
    this.#firstId = base?.endId ?? 1;
  }

  /**
   * A builder with all types of a BTF under their ids, to add to them. Split BTF gives a split builder over the same base.
   * @throws ExplainedError `btf-not-editable` for kinds that this version does not know; FormatError for damaged BTF
   */
  static from(btf: Btf, options: { readonly byteOrder?: ByteOrder } = {}): BtfBuilder {
    const { byteOrder = btf.byteOrder } = options;
    const builder = new BtfBuilder(btf.base === null ? { byteOrder } : { byteOrder, base: btf.base });
    for (const type of btf.types()) {
      if (type.id !== builder.nextId) break;
      if (type.kind !== 'void') builder.add(type);
    }
    if (builder.nextId === btf.endId) return builder;
    const why = `type ${builder.nextId} is of a kind that this version does not know`;
    throw new ExplainedError('btf-not-editable', 'this BTF cannot be written anew', { where: btf.name, why });
  }

  /** The id of the type that is added next: types may refer to ones that come later. */
  get nextId(): TypeId {
    return this.#firstId + this.#types.length;
  }

  /** Adds a type and returns its id. Its fields are looked at by {@link BtfBuilder.finish}. */
  add(type: NewBtfType): TypeId {
    this.#types.push(type);
    return this.nextId - 1;
  }

  /**
   * The blob, with the header of 24 bytes that every kernel knows.
   * @throws ExplainedError `btf-type-id` for a type that refers to one that is not there, `btf-field-range` for a number that its field in
   * `struct btf_type` does not hold
   */
  finish(): Uint8Array {
    const strings = new StringWriter(this.#base);
    const writer = new TypeWriter(this.byteOrder, { endId: this.nextId, string: (text) => strings.offset(text) });
    for (const [position, type] of this.#types.entries()) writer.write(this.#firstId + position, type);
    return frameBtf(this.byteOrder, writer.finish(), strings.finish());
  }
}

/** Puts a header of 24 bytes before the types and strings: `struct btf_header` (include/uapi/linux/btf.h) as Linux 4.18 has it. */
export function frameBtf(byteOrder: ByteOrder, types: Uint8Array, strings: Uint8Array): Uint8Array {
  return new ByteWriter(byteOrder)
    .u16(0xeb9f)
    .u8(1)
    .u8(0)
    .u32(24)
    .u32(0)
    .u32(types.length)
    .u32(types.length)
    .u32(strings.length)
    .bytes(types)
    .bytes(strings)
    .finish();
}

/** A string section with each string once. */
class StringWriter {
  readonly #base: Btf | null;
  readonly #first: number;
  readonly #bytes = new ByteWriter('little');
  readonly #offsets = new Map<string, number>();

  constructor(base: Btf | null) {
    this.#base = base;
    this.#first = base?.stringsEnd ?? 0;
    if (base === null) this.offset('');
  }

  offset(text: string): number {
    const known = this.#offsets.get(text);
    if (known !== undefined) return known;
    let offset = this.#base?.stringOffset(text);
    if (offset === undefined) {
      if (text.includes('\0')) {
        throw new ExplainedError('btf-string', 'a string of BTF cannot hold a zero byte', {
          where: JSON.stringify(text),
        });
      }
      offset = this.#first + this.#bytes.position;
      this.#bytes.cstring(text);
    }
    this.#offsets.set(text, offset);
    return offset;
  }

  finish(): Uint8Array {
    return this.#bytes.finish();
  }
}
