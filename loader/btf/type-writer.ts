import { type ByteOrder, ByteWriter } from '../bytes.ts';
import { ExplainedError } from '../errors.ts';
import { encodeInfo } from './kinds.ts';
import type { NewBtfType, TypeId } from './types.ts';

/** What writing needs from the BTF around the types. */
export interface WriteContext {
  /** One past the last type id. */
  readonly endId: TypeId;
  /** The offset of a string. */
  readonly string: (text: string) => number;
}

/** Writes types as `include/uapi/linux/btf.h` lays them out: the opposite of inflateType. */
export class TypeWriter {
  readonly #writer: ByteWriter;
  readonly #context: WriteContext;
  #where = '';

  constructor(byteOrder: ByteOrder, context: WriteContext) {
    this.#writer = new ByteWriter(byteOrder);
    this.#context = context;
  }

  /** Writes the next type. Throws {@link ExplainedError} `btf-type-id`, `btf-field-range`. */
  write(id: TypeId, type: NewBtfType): void {
    this.#where = `type ${id} (${type.kind} "${type.name}")`;
    const writer = this.#writer;
    switch (type.kind) {
      case 'int': {
        const flags = (type.signed ? 1 : 0) | (type.char ? 2 : 0) | (type.bool ? 4 : 0);
        this.#head(type, 0, false, type.size);
        const bitOffset = this.#field('bit offset', type.bitOffset, 0xff);
        writer.u32((flags << 24) | (bitOffset << 16) | this.#field('number of bits', type.bits, 0xff));
        break;
      }
      case 'ptr':
      case 'typedef':
      case 'volatile':
      case 'const':
      case 'restrict':
        this.#head(type, 0, false, this.#id(type.type));
        break;
      case 'type_tag':
        this.#head(type, 0, type.attribute === true, this.#id(type.type));
        break;
      case 'array':
        this.#head(type, 0, false, 0);
        writer.u32(this.#id(type.type)).u32(this.#id(type.indexType)).u32(this.#field('length', type.length));
        break;
      case 'struct':
      case 'union':
        this.#composite(type);
        break;
      case 'enum':
        this.#head(type, type.values.length, type.signed, type.size);
        for (const { name, value } of type.values) this.#name(name).u32(this.#signedField('value', value));
        break;
      case 'enum64':
        this.#head(type, type.values.length, type.signed, type.size);
        for (const { name, value } of type.values) {
          this.#name(name)
            .u32(Number(value & 0xffff_ffffn))
            .u32(Number((value >> 32n) & 0xffff_ffffn));
        }
        break;
      case 'fwd':
        this.#head(type, 0, type.union, 0);
        break;
      case 'func':
        this.#head(type, LINKAGES.indexOf(type.linkage), false, this.#id(type.type));
        break;
      case 'func_proto':
        this.#head(type, type.params.length, false, this.#id(type.returnType));
        for (const { name, type: of } of type.params) this.#name(name).u32(this.#id(of));
        break;
      case 'var':
        this.#head(type, 0, false, this.#id(type.type));
        writer.u32(LINKAGES.indexOf(type.linkage));
        break;
      case 'datasec':
        this.#head(type, type.entries.length, false, type.size);
        for (const { type: of, offset, size } of type.entries) {
          writer.u32(this.#id(of)).u32(this.#field('offset', offset)).u32(this.#field('size', size));
        }
        break;
      case 'float':
        this.#head(type, 0, false, type.size);
        break;
      case 'decl_tag':
        this.#head(type, 0, type.attribute === true, this.#id(type.type));
        writer.u32(this.#signedField('component index', type.componentIndex));
        break;
    }
  }

  finish(): Uint8Array {
    return this.#writer.finish();
  }

  /** With a bit field in it, all members have their width beside their offset, which then has 24 bits. */
  #composite(type: NewBtfType & { readonly kind: 'struct' | 'union' }): void {
    const bitFields = type.members.some(({ bitSize }) => bitSize !== 0);
    this.#head(type, type.members.length, bitFields, type.size);
    for (const member of type.members) {
      const offset = this.#field('bit offset', member.bitOffset, bitFields ? 0xff_ffff : 0xffff_ffff);
      const width = this.#field('width of a bit field', member.bitSize, 0xff);
      this.#name(member.name)
        .u32(this.#id(member.type))
        .u32(width * 2 ** 24 + offset);
    }
  }

  #head({ kind, name }: NewBtfType, vlen: number, kindFlag: boolean, sizeOrType: number): void {
    const info = encodeInfo(kind, this.#field('number of elements', vlen, 0xff_ffff), kindFlag);
    this.#name(name).u32(info).u32(this.#field('size', sizeOrType));
  }

  #name(text: string): ByteWriter {
    return this.#writer.u32(this.#context.string(text));
  }

  #id(id: TypeId): TypeId {
    if (Number.isInteger(id) && id >= 0 && id < this.#context.endId) return id;
    const why = `ids end at ${this.#context.endId}`;
    throw new ExplainedError('btf-type-id', `there is no type ${id}`, { where: this.#where, why });
  }

  #field(what: string, value: number, most = 0xffff_ffff): number {
    if (Number.isInteger(value) && value >= 0 && value <= most) return value;
    const why = `its field holds 0 to ${most}`;
    throw new ExplainedError('btf-field-range', `${what} ${value} does not fit`, { where: this.#where, why });
  }

  /** 32 bits with or without a sign. */
  #signedField(what: string, value: number): number {
    return value < 0 && value >= -(2 ** 31) && Number.isInteger(value) ? value >>> 0 : this.#field(what, value);
  }
}

const LINKAGES = ['static', 'global', 'extern'];
