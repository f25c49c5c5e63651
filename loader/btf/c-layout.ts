import { ExplainedError, FormatError } from '../errors.ts';
import type { Btf } from './btf.ts';
import type { BtfType, CompositeType, Member, TypeId } from './types.ts';

/** A member as C lays it out; all in bits. */
export interface MemberShape {
  readonly offset: number;
  /** Width of a bit field, else 0. */
  readonly width: number;
  /** Of the declared type: for a bit field, what it must not lie across. */
  readonly size: number;
  readonly alignment: number;
}

/**
 * How a compiler for BPF would lay out the structs of a BTF if they were written in C: every type at a multiple of its own size, up to 16 bytes, and
 * structs as their members demand. Where a struct is laid out otherwise, it is packed and has its gaps written out; attributes such as
 * `aligned` are not in BTF.
 */
export class CLayout {
  readonly #btf: Btf;
  /** Bytes, by id; 0 while it is being found out. */
  readonly #alignments = new Map<TypeId, number>();

  constructor(btf: Btf) {
    this.#btf = btf;
  }

  /** Alignment in bytes; 1 for types that refer to themselves, which only damaged BTF has. */
  alignmentOf(id: TypeId): number {
    const known = this.#alignments.get(id);
    if (known !== undefined) return known || 1;
    this.#alignments.set(id, 0);
    const alignment = this.#find(this.#btf.type(id));
    this.#alignments.set(id, alignment);
    return alignment;
  }

  #find(type: BtfType): number {
    switch (type.kind) {
      case 'struct':
      case 'union':
        return this.isPacked(type) ? 1 : this.#largest(type);
      case 'ptr':
        return 8;
      case 'int':
      case 'float':
      case 'enum':
      case 'enum64':
        return Math.max(1, Math.min(type.size, 16));
      case 'array':
      case 'typedef':
      case 'const':
      case 'volatile':
      case 'restrict':
      case 'type_tag':
        return this.alignmentOf(type.type);
      default:
        return 1;
    }
  }

  /** Whether the compiler must be told not to align members, because one lies where alignment would not put it. */
  isPacked(type: CompositeType): boolean {
    const astray = type.members.some((member) => {
      const { offset, width, size, alignment } = this.shapeOf(member);
      if (width === 0) return offset % alignment !== 0;
      return Math.floor(offset / size) !== Math.floor((offset + width - 1) / size);
    });
    return astray || type.size % this.#largest(type) !== 0;
  }

  /** The alignment of the members, in bytes. */
  #largest(type: CompositeType): number {
    return type.members.reduce((most, member) => Math.max(most, this.alignmentOf(member.type)), 1);
  }

  /** Where a member lies. Bit fields that compilers wrote as integers of few bits, before BTF had widths, are seen as bit fields. */
  shapeOf({ type, bitOffset, bitSize }: Member): MemberShape {
    const resolved = this.#btf.resolve(type);
    const size = this.#sizeOf(type) * 8;
    const alignment = this.alignmentOf(type) * 8;
    if (bitSize === 0 && resolved.kind === 'int' && resolved.bits < resolved.size * 8) {
      return { offset: bitOffset + resolved.bitOffset, width: resolved.bits, size, alignment };
    }
    return { offset: bitOffset, width: bitSize, size: Math.max(size, bitSize === 0 ? 0 : 8), alignment };
  }

  /** Members of function type or of forward-declared structs have no size in C either. */
  #sizeOf(id: TypeId): number {
    const { kind } = this.#btf.resolve(id);
    if (kind === 'func_proto' || kind === 'fwd' || kind === 'void') return 0;
    try {
      return this.#btf.sizeOf(id);
    } catch (cause) {
      if (cause instanceof FormatError || !(cause instanceof ExplainedError)) throw cause;
      // An array of functions, a function itself: no compiler writes such members.
      const what = `type ${id}, which is a member's, has no size`;
      const why = cause.why ?? cause.message;
      throw new FormatError(cause.code, what, { section: '.BTF', offset: 0 }, { where: this.#btf.name, why, cause });
    }
  }
}

/** Unnamed bit fields that fill the bits from `start` to `end`: each within the bytes of its type, so that none is moved. */
export function padding(start: number, end: number): string[] {
  const lines: string[] = [];
  for (let at = start; at < end; ) {
    const [type, unit] = UNITS.find(([, bits]) => at % bits === 0 && end - at >= bits) ?? ['char', 8];
    const width = Math.min(unit - (at % unit), end - at);
    lines.push(`${type}: ${width};`);
    at += width;
  }
  return lines;
}

const UNITS: readonly (readonly [string, number])[] = [
  ['long', 64],
  ['int', 32],
  ['short', 16],
];
