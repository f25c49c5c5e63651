import type { ByteReader } from '../bytes.ts';
import { FormatError } from '../errors.ts';
import { BTF_KINDS, decodeInfo, type TypeInfo } from './kinds.ts';
import type { BtfType, TypeId } from './types.ts';

/** What inflating needs from the BTF around the type. */
export interface InflateContext {
  /** Name for messages. */
  readonly where: string;
  /** One past the last type id. */
  readonly endId: TypeId;
  string(offset: number): string;
}

/**
 * Turns the bytes at the reader's position into a type, following `include/uapi/linux/btf.h`.
 * Throws {@link FormatError} for ids and string offsets out of range, linkages without a meaning, and unknown kinds.
 */
export function inflateType(reader: ByteReader, id: TypeId, context: InflateContext): BtfType {
  const start = reader.position;
  const refuse = (code: string, what: string, why: string): never => {
    throw new FormatError(code, what, reader.at(start), { where: context.where, why });
  };
  const checkId = (type: TypeId): TypeId =>
    type < context.endId
      ? type
      : refuse('btf-type-id', `type ${id} refers to type ${type}`, `ids end at ${context.endId}`);
  const readName = (): string => context.string(reader.u32());
  const readId = (): TypeId => checkId(reader.u32());
  const name = readName();
  const info = decodeInfo(reader.u32());
  const sizeOrType = reader.u32();
  const each = <T>(read: () => T): T[] => Array.from({ length: info.vlen }, read);
  const readLinkage = (value: number): Linkage =>
    LINKAGES[value] ??
    refuse('btf-linkage', `type ${id} has linkage ${value}`, 'known are 0 static, 1 global, 2 extern');

  const kind = BTF_KINDS[info.kind];
  switch (kind) {
    case 'int': {
      const encoding = reader.u32();
      const flags = (encoding >>> 24) & 0xf;
      return {
        kind,
        id,
        name,
        size: sizeOrType,
        bits: encoding & 0xff,
        bitOffset: (encoding >>> 16) & 0xff,
        signed: (flags & 1) !== 0,
        char: (flags & 2) !== 0,
        bool: (flags & 4) !== 0,
      };
    }
    case 'ptr':
    case 'typedef':
    case 'volatile':
    case 'const':
    case 'restrict':
      return { kind, id, name, type: checkId(sizeOrType) };
    case 'type_tag':
      return { kind, id, name, type: checkId(sizeOrType), ...attribute(info) };
    case 'array':
      return { kind, id, name, type: readId(), indexType: readId(), length: reader.u32() };
    case 'struct':
    case 'union': {
      const members = each(() => ({ name: readName(), type: readId(), ...memberPlace(reader.u32(), info) }));
      return { kind, id, name, size: sizeOrType, members };
    }
    case 'enum': {
      const values = each(() => ({ name: readName(), value: info.kindFlag ? reader.i32() : reader.u32() }));
      return { kind, id, name, size: sizeOrType, signed: info.kindFlag, values };
    }
    case 'enum64': {
      const values = each(() => ({ name: readName(), value: enum64Value(reader.u32(), reader.u32(), info) }));
      return { kind, id, name, size: sizeOrType, signed: info.kindFlag, values };
    }
    case 'fwd':
      return { kind, id, name, union: info.kindFlag };
    case 'func':
      return { kind, id, name, type: checkId(sizeOrType), linkage: readLinkage(info.vlen) };
    case 'func_proto':
      return {
        kind,
        id,
        name,
        returnType: checkId(sizeOrType),
        params: each(() => ({ name: readName(), type: readId() })),
      };
    case 'var':
      return { kind, id, name, type: checkId(sizeOrType), linkage: readLinkage(reader.u32()) };
    case 'datasec': {
      const entries = each(() => ({ type: readId(), offset: reader.u32(), size: reader.u32() }));
      return { kind, id, name, size: sizeOrType, entries };
    }
    case 'float':
      return { kind, id, name, size: sizeOrType };
    case 'decl_tag':
      return { kind, id, name, type: checkId(sizeOrType), componentIndex: reader.i32(), ...attribute(info) };
    default:
      return refuse(
        'btf-unknown-kind',
        `type ${id} has the unknown BTF kind ${info.kind}`,
        'this version of ksym-matrix is older than the BTF',
      );
  }
}

function attribute({ kindFlag }: TypeInfo): { readonly attribute?: true } {
  return kindFlag ? { attribute: true } : {};
}

type Linkage = 'static' | 'global' | 'extern';

const LINKAGES: readonly Linkage[] = ['static', 'global', 'extern'];

/** With the kind flag, a member's offset holds the width of a bit field in its upper 8 bits (`BTF_MEMBER_BITFIELD_SIZE`). */
function memberPlace(offset: number, info: TypeInfo): { bitOffset: number; bitSize: number } {
  return info.kindFlag ? { bitOffset: offset & 0xff_ffff, bitSize: offset >>> 24 } : { bitOffset: offset, bitSize: 0 };
}

function enum64Value(low: number, high: number, info: TypeInfo): bigint {
  const value = (BigInt(high) << 32n) | BigInt(low);
  return info.kindFlag ? BigInt.asIntN(64, value) : value;
}
