import { ExplainedError } from '../errors.ts';
import type { Btf } from './btf.ts';
import { checkLength, enumValue, MOST_NAMES, pathOf, refuseRange, refuseValue, toInteger } from './encode-refusals.ts';
import type { ArrayType, BtfType, TypeId } from './types.ts';
import type { BtfValue } from './value.ts';
import {
  checkRange,
  describe,
  isCharacter,
  ownBits,
  type Part,
  partsOf,
  refuseType,
  ValueBudget,
  valueType,
  writeBits,
} from './value-layout.ts';

/**
 * Lays a value of the type out in bytes, in the BTF's byte order. What may be given for what stands with {@link BtfValue}; what is left out of structs
 * and arrays is zero, as padding is.
 *
 * @param name what the value is for, such as a variable's name, for messages
 * @throws ExplainedError, with the path to the member: `btf-value-type` for a value that the type cannot be made from, `btf-value-range` for a
 * number that does not fit, `btf-value-size` for text or an array that is too long, `btf-value-member` for a member that does not exist,
 * `btf-value-union` for members of a union that contradict each other; FormatError for damaged BTF
 */
export function encodeValue(btf: Btf, id: TypeId, value: BtfValue, name = ''): Uint8Array {
  const bytes = new Uint8Array(btf.sizeOf(id));
  const whole = { id, bitOffset: 0, bitSize: 0, path: name };
  new Encoder(btf, new ValueBudget(btf, bytes.length), bytes).write(whole, value);
  return bytes;
}

/** Where a value goes. */
interface Target {
  readonly id: TypeId;
  readonly bitOffset: number;
  /** Width of a bit field, else 0. */
  readonly bitSize: number;
  /** For messages: `.inner.values[3]`. */
  readonly path: string;
}

type Members = { readonly [member: string]: BtfValue };

class Encoder {
  readonly #btf: Btf;
  readonly #bytes: Uint8Array;
  /** The bits that were written. */
  readonly #written: Uint8Array;
  readonly #little: boolean;
  readonly #budget: ValueBudget;

  constructor(btf: Btf, budget: ValueBudget, bytes: Uint8Array) {
    this.#btf = btf;
    this.#bytes = bytes;
    this.#written = new Uint8Array(bytes.length);
    this.#little = btf.byteOrder === 'little';
    this.#budget = budget;
  }

  write(target: Target, value: BtfValue): void {
    this.#budget.enter(() => this.#write(valueType(this.#btf, target.id), target, value));
  }

  #write(type: BtfType, target: Target, value: BtfValue): void {
    const parts = partsOf(this.#btf, type);
    if (parts !== undefined) {
      if (!isMembers(value)) refuseValue(type, target.path, value, 'it takes an object by member');
      this.#checkNames(type, parts, target, value);
      this.#writeParts(type, parts, target, value);
      return;
    }
    switch (type.kind) {
      case 'int': {
        const own = ownBits(type);
        const place = {
          offset: target.bitOffset + (own?.offset ?? 0),
          size: target.bitSize || (own?.size ?? type.size * 8),
        };
        const number = typeof value === 'boolean' ? BigInt(value) : toInteger(type, target.path, value);
        if (type.bool && number !== 0n && number !== 1n) refuseRange(type, target.path, value, '0 or 1');
        this.#integer(type, target, place, number, type.signed);
        break;
      }
      case 'enum':
      case 'enum64': {
        const place = { offset: target.bitOffset, size: target.bitSize || type.size * 8 };
        const number =
          typeof value === 'string' ? enumValue(type, target.path, value) : toInteger(type, target.path, value);
        this.#integer(type, target, place, number, type.signed);
        break;
      }
      case 'ptr': {
        const place = { offset: target.bitOffset, size: 64 };
        this.#integer(type, target, place, toInteger(type, target.path, value), false);
        break;
      }
      case 'float':
        this.#float(type, target, value);
        break;
      case 'array':
        this.#array(type, target, value);
        break;
      default:
        refuseType(this.#btf, type, target.path);
    }
  }

  /** `given` may have members of structs around this one, where this one has no name. */
  #writeParts(type: BtfType, parts: readonly Part[], target: Target, given: Members): void {
    let first: string | undefined;
    for (const part of parts) {
      const inner = part.name === '' ? partsOf(this.#btf, valueType(this.#btf, part.type)) : undefined;
      const isGiven =
        inner === undefined ? part.name !== '' && Object.hasOwn(given, part.name) : this.#hasAny(inner, given);
      if (!isGiven) continue;
      const path = part.name === '' ? target.path : `${target.path}.${part.name}`;
      const write = (encoder: Encoder, start: number): void => {
        const place = { id: part.type, bitOffset: start + part.bitOffset, bitSize: part.bitSize, path };
        if (inner === undefined) encoder.write(place, given[part.name] ?? 0);
        else this.#budget.enter(() => encoder.#writeParts(valueType(this.#btf, part.type), inner, place, given));
      };
      if (type.kind === 'union') {
        // Damaged BTF may claim up to 4 GiB for it.
        checkRange(this.#btf, { offset: target.bitOffset, size: type.size * 8 }, this.#bytes);
        // Each member is laid out on its own, to see whether they agree.
        const own = new Encoder(this.#btf, this.#budget, new Uint8Array(type.size));
        write(own, 0);
        first ??= part.name;
        this.#join(own, target, `${first || 'without a name'} and ${part.name || 'without a name'}`, type);
      } else {
        write(this, target.bitOffset);
      }
    }
  }

  /** Takes over what another encoder wrote, if it agrees with what was written there before. */
  #join(other: Encoder, target: Target, names: string, type: BtfType): void {
    checkRange(this.#btf, { offset: target.bitOffset, size: other.#bytes.length * 8 }, this.#bytes);
    const start = target.bitOffset / 8;
    other.#bytes.forEach((byte, at) => {
      const mask = other.#written[at] ?? 0;
      const before = this.#bytes[start + at] ?? 0;
      if (((byte ^ before) & mask & (this.#written[start + at] ?? 0)) !== 0) {
        throw new ExplainedError('btf-value-union', `members ${names} contradict each other`, {
          where: pathOf(target.path),
          why: `they share the bytes of ${describe(type)}`,
          fix: 'give one of them',
        });
      }
      this.#bytes[start + at] = (before & ~mask) | (byte & mask);
      this.#written[start + at] = (this.#written[start + at] ?? 0) | mask;
    });
  }

  #hasAny(parts: readonly Part[], given: Members): boolean {
    return this.#budget.enter(() =>
      parts.some(({ name, type }) => {
        if (name !== '') return Object.hasOwn(given, name);
        const inner = partsOf(this.#btf, valueType(this.#btf, type));
        return inner !== undefined && this.#hasAny(inner, given);
      }),
    );
  }

  #checkNames(type: BtfType, parts: readonly Part[], target: Target, given: Members): void {
    const names = new Set<string>();
    const collect = (all: readonly Part[]): void => {
      for (const part of all) {
        const inner = part.name === '' ? partsOf(this.#btf, valueType(this.#btf, part.type)) : undefined;
        if (inner !== undefined) this.#budget.enter(() => collect(inner));
        else if (part.name !== '') names.add(part.name);
      }
    };
    collect(parts);
    for (const name of Object.keys(given)) {
      if (names.has(name)) continue;
      const known = [...names];
      const more = known.length > MOST_NAMES ? `, and ${known.length - MOST_NAMES} more` : '';
      throw new ExplainedError('btf-value-member', `there is no member ${name}`, {
        where: pathOf(target.path),
        why: `${describe(type)} has ${known.slice(0, MOST_NAMES).join(', ') || 'none'}${more}`,
      });
    }
  }

  #integer(
    type: BtfType,
    target: Target,
    place: { offset: number; size: number },
    value: bigint,
    signed: boolean,
  ): void {
    const { size } = place;
    const top = 1n << BigInt(size);
    // BTF had no place for the sign of an enum before Linux 6.0, and compilers leave it out still.
    const least = signed || type.kind === 'enum' ? -top / 2n : 0n;
    const most = signed ? top / 2n - 1n : top - 1n;
    if (value < least || value > most) refuseRange(type, target.path, value, `${least} to ${most}`);
    checkRange(this.#btf, place, this.#bytes);
    writeBits(this.#bytes, place, value, this.#little);
    writeBits(this.#written, place, -1n, this.#little);
  }

  #float(type: BtfType & { readonly kind: 'float' }, target: Target, value: BtfValue): void {
    if (type.size !== 4 && type.size !== 8) refuseType(this.#btf, type, target.path);
    if (typeof value !== 'number') refuseValue(type, target.path, value, 'it takes a number');
    const place = { offset: target.bitOffset, size: type.size * 8 };
    checkRange(this.#btf, place, this.#bytes);
    writeBits(this.#written, place, -1n, this.#little);
    const view = new DataView(this.#bytes.buffer, this.#bytes.byteOffset, this.#bytes.length);
    if (type.size === 4) view.setFloat32(target.bitOffset / 8, value, this.#little);
    else view.setFloat64(target.bitOffset / 8, value, this.#little);
  }

  #array(array: ArrayType, target: Target, value: BtfValue): void {
    const element = valueType(this.#btf, array.type);
    const size = this.#btf.sizeOf(array.type);
    if (typeof value === 'string' && isCharacter(element)) {
      const text = new TextEncoder().encode(value);
      checkLength(array, target.path, text.length, 'bytes');
      checkRange(this.#btf, { offset: target.bitOffset, size: text.length * 8 }, this.#bytes);
      this.#bytes.set(text, target.bitOffset / 8);
      this.#written.fill(0xff, target.bitOffset / 8, target.bitOffset / 8 + text.length);
      return;
    }
    if (!isList(value)) {
      refuseValue(array, target.path, value, isCharacter(element) ? 'it takes text or an array' : 'it takes an array');
    }
    checkLength(array, target.path, value.length, 'elements');
    value.forEach((one, index) => {
      const bitOffset = target.bitOffset + index * size * 8;
      this.write({ id: array.type, bitOffset, bitSize: 0, path: `${target.path}[${index}]` }, one);
    });
  }
}

function isList(value: BtfValue): value is readonly BtfValue[] {
  return Array.isArray(value);
}

function isMembers(value: BtfValue): value is Members {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
