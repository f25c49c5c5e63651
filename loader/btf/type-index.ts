import { FormatError } from '../errors.ts';
import type { BtfHeader } from './header.ts';
import { BTF_KINDS, KIND_LAYOUTS } from './kinds.ts';

/** Where each type of a BTF blob starts; made in one pass, without looking into the types. */
export interface TypeIndex {
  readonly count: number;
  /** By position (id minus the first id): offset in bytes from the start of the type section. */
  readonly offsets: Uint32Array;
  /** By position: kind number. */
  readonly kinds: Uint8Array;
  /** By position: string offset of the name. */
  readonly names: Uint32Array;
}

/**
 * Finds every type. A kind that this version does not know is stepped over if the blob's layout section gives its size.
 * Throws {@link FormatError} for an unknown kind of unknown size, and for a type that leaves the section.
 */
export function indexTypes(header: BtfHeader, where: string): TypeIndex {
  const { types, layout } = header;
  const view = new DataView(types.buffer, types.byteOffset, types.length);
  const little = header.byteOrder === 'little';
  const most = Math.floor(types.length / TYPE_SIZE);
  const offsets = new Uint32Array(most);
  const kinds = new Uint8Array(most);
  const names = new Uint32Array(most);
  let count = 0;
  let offset = 0;
  while (offset < types.length) {
    const left = types.length - offset;
    const position = { section: '.BTF', offset: header.typesOffset + offset };
    if (left < TYPE_SIZE) {
      throw new FormatError('btf-truncated', 'the last type is cut off', position, {
        where,
        why: `${left} bytes are left`,
      });
    }
    // Not decodeInfo: this loop runs 150,000 times for a kernel.
    const info = view.getUint32(offset + 4, little);
    const kind = (info >>> 24) & 0x7f;
    const sizes = kind < BTF_KINDS.length ? KIND_LAYOUTS[kind] : layout?.[kind];
    if (kind === 0 || sizes === undefined) {
      throw new FormatError('btf-unknown-kind', `unknown BTF kind ${kind}`, position, {
        where,
        why: `type ${count} of this BTF has it, and the BTF does not say how long it is`,
        fix: 'Either the BTF is damaged, or it is newer than this version of ksym-matrix.',
      });
    }
    const size = TYPE_SIZE + sizes.once + (info & 0xff_ffff) * sizes.each;
    if (size > left) {
      throw new FormatError('btf-truncated', `a ${BTF_KINDS[kind] ?? `kind ${kind}`} is cut off`, position, {
        where,
        why: `it takes ${size} bytes, ${left} are left`,
      });
    }
    offsets[count] = offset;
    kinds[count] = kind;
    names[count] = view.getUint32(offset, little);
    count += 1;
    offset += size;
  }
  return {
    count,
    offsets: offsets.subarray(0, count),
    kinds: kinds.subarray(0, count),
    names: names.subarray(0, count),
  };
}

/** `struct btf_type`. */
const TYPE_SIZE = 12;
