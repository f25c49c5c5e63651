import type { Btf } from '../btf/btf.ts';
import type { BtfType, TypeId } from '../btf/types.ts';
import { ExplainedError } from '../errors.ts';
import type { Field } from './core-access.ts';
import { CoreKind, questionOf } from './core-kinds.ts';

/** A field's answer to one kind of question. */
export interface FieldValue {
  readonly value: bigint;
  /** False where a compiler may have decided differently, as for the place of a bit field, so that its value proves nothing. */
  readonly certain: boolean;
  /** For an offset: what a load or store of the field takes; null for a bit field, which no single one reads. */
  readonly access?: MemoryAccess | null;
}

/** What a load or store of a field takes. */
export interface MemoryAccess {
  /** Bytes; of an array, one element's. */
  readonly size: number;
  /** Which types can be read in another width: a pointer for a pointer, an unsigned integer for another. */
  readonly extends: 'pointer' | 'unsigned' | 'otherwise';
}

/**
 * Answers a question about a field by the type that it is in: where it is, how large, whether signed, and by how many bits a
 * 64-bit register is shifted left and right to have a bit field alone in it (bpf_core_calc_field_relo in libbpf's `src/relo_core.c`).
 * Byte order counts for bit fields: it is `btf`'s.
 * @throws ExplainedError `core-bit-field` for one that no load can read, `core-access` for a question that makes no sense.
 */
export function measureField(btf: Btf, field: Field, kind: number, text: string): FieldValue {
  if (field.element) return measureElement(btf, field, kind, text);
  const type = btf.resolve(field.typeId);
  const bits = field.bitSize > 0;
  const { offset, size } = bits ? storageUnit(field, type, text) : plainPlace(btf, field);
  const bitSize = bits ? field.bitSize : size * 8;
  // Compilers choose the storage unit of a bit field as they like.
  const certain = !bits;
  const answer = (value: number): FieldValue => ({ value: BigInt(value), certain });
  switch (kind) {
    case CoreKind.FIELD_BYTE_OFFSET:
      return { ...answer(offset), access: bits ? null : memoryAccess(btf, field.typeId, type) };
    case CoreKind.FIELD_BYTE_SIZE:
      return answer(size);
    case CoreKind.FIELD_SIGNED:
      // clang knew which enums are signed before it could write that into BTF (15).
      return { value: isSigned(type) ? 1n : 0n, certain: type.kind === 'int' || isSigned(type) };
    case CoreKind.FIELD_LSHIFT_U64: {
      const before = field.bitOffset - offset * 8;
      return answer(btf.byteOrder === 'little' ? 64 - before - bitSize : (8 - size) * 8 + before);
    }
    case CoreKind.FIELD_RSHIFT_U64:
      return { value: BigInt(64 - bitSize), certain: true };
    default:
      return refuse(kind, text, 'it has no such answer');
  }
}

/** Elements of arrays, and what the access starts at, are never bit fields. */
function measureElement(btf: Btf, field: Field, kind: number, text: string): FieldValue {
  if (kind === CoreKind.FIELD_BYTE_OFFSET) {
    const { offset } = plainPlace(btf, field);
    return {
      value: BigInt(offset),
      certain: true,
      access: memoryAccess(btf, field.typeId, btf.resolve(field.typeId)),
    };
  }
  if (kind === CoreKind.FIELD_BYTE_SIZE) return { value: BigInt(btf.sizeOf(field.typeId)), certain: true };
  return refuse(kind, text, 'it is no member of a struct');
}

function plainPlace(btf: Btf, field: Field): { offset: number; size: number } {
  return { offset: Math.floor(field.bitOffset / 8), size: btf.sizeOf(field.typeId) };
}

/** The smallest aligned integer that has the whole bit field in it, from the size of its type up. */
function storageUnit(field: Field, type: BtfType, text: string): { offset: number; size: number } {
  let size = type.kind === 'int' || type.kind === 'enum' || type.kind === 'enum64' ? type.size : 0;
  if (![1, 2, 4, 8, 16].includes(size)) {
    throw new ExplainedError('core-bit-field', `${text} is a bit field of type ${type.kind}`, {
      why: `a bit field is an integer or enum of 1 to 16 bytes, this one has ${size}`,
    });
  }
  for (; ; size *= 2) {
    const offset = Math.floor(field.bitOffset / 8 / size) * size;
    if (field.bitOffset + field.bitSize <= (offset + size) * 8) return { offset, size };
    if (size >= 8) {
      throw new ExplainedError('core-bit-field', `the bit field ${text} cannot be read`, {
        why: `its ${field.bitSize} bits from bit ${field.bitOffset} on lie in no aligned 64-bit word`,
      });
    }
  }
}

/** libbpf looks through arrays for the size since 1.6, for the kind of type it does not. */
function memoryAccess(btf: Btf, id: TypeId, type: BtfType): MemoryAccess {
  let element = type;
  for (let depth = 0; element.kind === 'array' && depth < 32; depth += 1) element = btf.resolve(element.type);
  const unsigned = type.kind === 'int' && !type.signed;
  return {
    size: element.kind === 'array' ? btf.sizeOf(id) : btf.sizeOf(element.id),
    extends: type.kind === 'ptr' ? 'pointer' : unsigned ? 'unsigned' : 'otherwise',
  };
}

function isSigned(type: BtfType): boolean {
  return (type.kind === 'int' || type.kind === 'enum' || type.kind === 'enum64') && type.signed;
}

function refuse(kind: number, text: string, why: string): never {
  throw new ExplainedError('core-access', `a relocation asks for ${questionOf(kind)} ${text}`, { why });
}
