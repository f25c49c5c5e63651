import type { BtfKind, BtfType } from './types.ts';

/** Names of `BTF_KIND_…`, by number (`include/uapi/linux/btf.h`). */
export const BTF_KINDS = [
  'void',
  'int',
  'ptr',
  'array',
  'struct',
  'union',
  'enum',
  'fwd',
  'typedef',
  'volatile',
  'const',
  'restrict',
  'func',
  'func_proto',
  'var',
  'datasec',
  'float',
  'decl_tag',
  'type_tag',
  'enum64',
] as const satisfies readonly BtfKind[];

/** The member of {@link BtfType} that has this kind. */
export type BtfOfKind<K extends BtfKind> = BtfType extends infer Type
  ? Type extends { readonly kind: infer Own }
    ? [K & Own] extends [never]
      ? never
      : Type
    : never
  : never;

/** Narrows a type to a kind. */
export function isKind<K extends BtfKind>(type: BtfType, kind: K): type is BtfOfKind<K> {
  return type.kind === kind;
}

/** The number of a kind: BTF_KIND_…. */
export function kindNumber(kind: BtfKind): number {
  return BTF_KINDS.indexOf(kind);
}

/** `info` of `struct btf_type`, taken apart. */
export interface TypeInfo {
  readonly kind: number;
  /** Number of members, values, parameters …; a FUNC's linkage. */
  readonly vlen: number;
  readonly kindFlag: boolean;
}

/**
 * Takes `info` apart by the layout of Linux 7.2's UAPI: 24 bits of vlen, 7 bits of kind, the kind flag.
 * Before 7.2 vlen had 16 bits and kind 5, with zeroes between, so the same reading serves both.
 */
export function decodeInfo(info: number): TypeInfo {
  return { kind: (info >>> 24) & 0x7f, vlen: info & 0xff_ffff, kindFlag: info >>> 31 === 1 };
}

/** The opposite of {@link decodeInfo}. */
export function encodeInfo(kind: BtfKind, vlen: number, kindFlag = false): number {
  return ((kindFlag ? 0x8000_0000 : 0) | (kindNumber(kind) << 24) | vlen) >>> 0;
}

/** What follows the 12 bytes of `struct btf_type`: `once` bytes, then `each` bytes vlen times. */
export interface KindLayout {
  readonly once: number;
  readonly each: number;
}

/** Sizes in bytes for every kind of {@link BTF_KINDS}, by number. Index 0 is not used by a type. */
export const KIND_LAYOUTS: readonly KindLayout[] = [
  { once: 0, each: 0 }, // void
  { once: 4, each: 0 }, // int: encoding, offset and bits
  { once: 0, each: 0 }, // ptr
  { once: 12, each: 0 }, // array: type, index type, length
  { once: 0, each: 12 }, // struct: name, type, offset
  { once: 0, each: 12 }, // union
  { once: 0, each: 8 }, // enum: name, value
  { once: 0, each: 0 }, // fwd
  { once: 0, each: 0 }, // typedef
  { once: 0, each: 0 }, // volatile
  { once: 0, each: 0 }, // const
  { once: 0, each: 0 }, // restrict
  { once: 0, each: 0 }, // func: its vlen is the linkage
  { once: 0, each: 8 }, // func_proto: name, type
  { once: 4, each: 0 }, // var: linkage
  { once: 0, each: 12 }, // datasec: type, offset, size
  { once: 0, each: 0 }, // float
  { once: 4, each: 0 }, // decl_tag: component index
  { once: 0, each: 0 }, // type_tag
  { once: 0, each: 12 }, // enum64: name, low and high half
];
