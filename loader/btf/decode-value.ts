import { decodeUtf8 } from '../bytes.ts';
import { ExplainedError } from '../errors.ts';
import type { Btf } from './btf.ts';
import type { ArrayType, BtfType, TypeId } from './types.ts';
import type { BtfValue } from './value.ts';
import {
  checkRange,
  isCharacter,
  ownBits,
  type Part,
  partsOf,
  readBits,
  refuseType,
  ValueBudget,
  valueType,
} from './value-layout.ts';

/**
 * Reads a value of the type from bytes in the BTF's byte order, as {@link BtfValue} describes it. Of a data section, an object by variable.
 *
 * @param id a type that has a size, or a VAR
 * @param bytes at least as many as the type takes
 * @throws ExplainedError `btf-value-size` for too few bytes, `btf-value-type` for functions, `void` and floats of other than 4 or 8 bytes;
 * FormatError for damaged BTF
 */
export function decodeValue(btf: Btf, id: TypeId, bytes: Uint8Array): BtfValue {
  const size = btf.sizeOf(id);
  if (bytes.length < size) {
    const what = `${bytes.length} bytes for a value of ${size}`;
    throw new ExplainedError('btf-value-size', what, { where: btf.name });
  }
  return new Decoder(btf, bytes.subarray(0, size)).read(id, 0, 0);
}

class Decoder {
  readonly #btf: Btf;
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  readonly #little: boolean;
  readonly #budget: ValueBudget;

  constructor(btf: Btf, bytes: Uint8Array) {
    this.#btf = btf;
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    this.#little = btf.byteOrder === 'little';
    this.#budget = new ValueBudget(btf, bytes.length);
  }

  /** `bitSize` 0: the value takes the bytes of its type. */
  read(id: TypeId, bitOffset: number, bitSize: number): BtfValue {
    return this.#budget.enter(() => this.#read(valueType(this.#btf, id), bitOffset, bitSize));
  }

  #read(type: BtfType, bitOffset: number, bitSize: number): BtfValue {
    const parts = partsOf(this.#btf, type);
    if (parts !== undefined) return Object.fromEntries(this.#entries(parts, bitOffset));
    switch (type.kind) {
      case 'int': {
        const own = ownBits(type);
        const offset = bitOffset + (own?.offset ?? 0);
        const bits = bitSize === 0 ? (own?.size ?? type.size * 8) : bitSize;
        return type.bool ? this.#integer(offset, bits, false) !== 0 : this.#integer(offset, bits, type.signed);
      }
      case 'enum':
      case 'enum64':
        return this.#integer(bitOffset, bitSize === 0 ? type.size * 8 : bitSize, type.signed);
      case 'ptr':
        return BigInt(this.#integer(bitOffset, 64, false));
      case 'float':
        return this.#float(type, bitOffset);
      case 'array':
        return this.#array(type, bitOffset);
      default:
        return refuseType(this.#btf, type, '');
    }
  }

  #entries(parts: readonly Part[], bitOffset: number): [string, BtfValue][] {
    return parts.flatMap(({ name, type, bitOffset: offset, bitSize }): [string, BtfValue][] => {
      if (name !== '') return [[name, this.read(type, bitOffset + offset, bitSize)]];
      // What has no name is padding, unless it is a struct or union whose members count as those of the one around it.
      const inner = partsOf(this.#btf, valueType(this.#btf, type));
      return inner === undefined ? [] : this.#budget.enter(() => this.#entries(inner, bitOffset + offset));
    });
  }

  #integer(offset: number, size: number, signed: boolean): number | bigint {
    const range = { offset, size };
    checkRange(this.#btf, range, this.#bytes);
    const bits = readBits(this.#bytes, range, this.#little);
    const value = signed ? BigInt.asIntN(size, bits) : bits;
    return size <= 32 ? Number(value) : value;
  }

  #float(type: BtfType & { readonly kind: 'float' }, bitOffset: number): number {
    checkRange(this.#btf, { offset: bitOffset, size: type.size * 8 }, this.#bytes);
    if (type.size === 4) return this.#view.getFloat32(bitOffset / 8, this.#little);
    if (type.size === 8) return this.#view.getFloat64(bitOffset / 8, this.#little);
    return refuseType(this.#btf, type, '');
  }

  #array({ type, length }: ArrayType, bitOffset: number): BtfValue {
    const element = valueType(this.#btf, type);
    const size = this.#btf.sizeOf(type);
    checkRange(this.#btf, { offset: bitOffset, size: size * length * 8 }, this.#bytes);
    if (isCharacter(element)) {
      const text = this.#bytes.subarray(bitOffset / 8, bitOffset / 8 + length);
      const end = text.indexOf(0);
      return decodeUtf8(end === -1 ? text : text.subarray(0, end));
    }
    const values: BtfValue[] = [];
    for (let index = 0; index < length; index++) values.push(this.read(type, bitOffset + index * size * 8, 0));
    return values;
  }
}
