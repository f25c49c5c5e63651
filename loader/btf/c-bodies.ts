import { FormatError } from '../errors.ts';
import type { Btf } from './btf.ts';
import { CLayout, padding } from './c-layout.ts';
import { type CNames, identifier } from './c-names.ts';
import { type DeclarationStyle, declare } from './declarator.ts';
import type { BtfType, CompositeType, Enum64Type, EnumType, Member } from './types.ts';

/** What compilers know without a definition: on BPF another type than on the machine that the kernel is for, whose struct is written instead. */
export const BUILTIN_LIST = '__builtin_va_list';

/** Types in one declaration; damaged BTF may have prototypes without end. */
const MOST_TYPES = 1000;

/** Structs without a name are written wherever they are used: bounded, since damaged BTF may nest them without end. */
const LEAST_LINES = 10_000;
const DEEPEST = 64;
const LONG_LINE = 64;

/** Writes definitions of types in C, with the layout that BTF gives them. */
export class CBodies {
  readonly #btf: Btf;
  readonly #names: CNames;
  readonly #layout: CLayout;
  #lines: number;
  #depth = 0;

  constructor(btf: Btf, names: CNames) {
    this.#btf = btf;
    this.#names = names;
    this.#layout = new CLayout(btf);
    this.#lines = LEAST_LINES + ((btf.base?.bytes.length ?? 0) + btf.bytes.length) / 4;
  }

  /** `struct NAME { … };` or `typedef …;`, and `enum { … };` for an enum without a name. */
  definition(type: BtfType): string {
    switch (type.kind) {
      case 'struct':
      case 'union':
        return `${this.#struct(type, this.#names.tagged(type), '')};`;
      case 'enum':
      case 'enum64':
        return `${this.#enum(type, type.name === '' ? 'enum' : this.#names.tagged(type), '')};`;
      case 'typedef':
        // Before GCC 9, BTF had this one as a typedef of void.
        return type.type === 0 && type.name === '__gnuc_va_list'
          ? `typedef __builtin_va_list ${this.#names.typedef(type)};`
          : `typedef ${declare(this.#btf, type.type, this.#names.typedef(type), this.#style(''))};`;
      default:
        return '';
    }
  }

  #style(indent: string): DeclarationStyle {
    return {
      left: MOST_TYPES,
      name: (type) => {
        if (type.kind !== 'typedef') return this.#names.tagged(type);
        return type.name === BUILTIN_LIST ? null : this.#names.typedef(type);
      },
      anonymous: (type) => this.#anonymous(type, indent),
    };
  }

  #anonymous(type: CompositeType | EnumType | Enum64Type, indent: string): string {
    return 'members' in type ? this.#struct(type, type.kind, indent) : this.#enum(type, 'enum', indent);
  }

  #struct(type: CompositeType, head: string, indent: string): string {
    this.#depth += 1;
    this.#lines -= type.members.length + 1;
    if (this.#lines < 0 || this.#depth > DEEPEST) this.#refuse(type);
    const lines = type.kind === 'union' ? this.#unionMembers(type, indent) : this.#structMembers(type, indent);
    this.#depth -= 1;
    const body = lines.length === 0 ? '{}' : `{\n${lines.map((line) => `${indent}\t${line}\n`).join('')}${indent}}`;
    return `${head} ${body}${this.#layout.isPacked(type) ? ' __attribute__((packed))' : ''}`;
  }

  #structMembers(type: CompositeType, indent: string): string[] {
    const packed = this.#layout.isPacked(type);
    const lines: string[] = [];
    let at = 0;
    let largest = 8;
    for (const [index, member] of type.members.entries()) {
      const { offset, width, size, alignment } = this.#layout.shapeOf(member);
      const step = packed ? 1 : alignment;
      const crosses = width !== 0 && Math.floor(at / size) !== Math.floor((at + width - 1) / size);
      const natural = width === 0 ? roundUp(at, packed ? 8 : step) : crosses && !packed ? roundUp(at, size) : at;
      if (natural !== offset) lines.push(...this.#pad(type, at, offset));
      lines.push(this.#member(member, index, width, indent));
      at = offset + (width === 0 ? size : width);
      largest = Math.max(largest, step);
    }
    const end = type.size * 8;
    if (roundUp(at, largest) !== end) lines.push(...this.#pad(type, at, end));
    return lines;
  }

  #unionMembers(type: CompositeType, indent: string): string[] {
    const packed = this.#layout.isPacked(type);
    let most = 0;
    let largest = 8;
    const lines = type.members.map((member, index) => {
      const { width, size, alignment } = this.#layout.shapeOf(member);
      most = Math.max(most, width === 0 ? size : width);
      if (!packed) largest = Math.max(largest, alignment);
      return this.#member(member, index, width, indent);
    });
    const end = type.size * 8;
    if (roundUp(most, largest) !== end) lines.push(`struct { ${this.#pad(type, 0, end).join(' ')} };`);
    return lines;
  }

  /** A gap of gigabytes is either damage, or not for people to read. */
  #pad(type: CompositeType, start: number, end: number): string[] {
    this.#lines -= Math.max(0, Math.floor((end - start) / 64));
    if (this.#lines < 0) this.#refuse(type);
    return padding(start, end);
  }

  #member({ name, type: id }: Member, index: number, width: number, indent: string): string {
    const style = this.#style(`${indent}\t`);
    const type = this.#btf.resolve(id);
    const isComposite = type.kind === 'struct' || type.kind === 'union';
    // A struct with a name as member without one is an extension that clang has to be asked for; its members say the same.
    if (name === '' && isComposite) return `${this.#struct(type, type.kind, `${indent}\t`)};`;
    const declared = declare(this.#btf, id, name === '' ? `_unnamed_${index}` : identifier(name), style);
    this.#count(type, declared);
    return `${declared}${width === 0 ? '' : `: ${width}`};`;
  }

  /** A name of thousands of characters counts as many lines. */
  #count(type: BtfType, line: string): void {
    this.#lines -= Math.floor(line.length / LONG_LINE);
    if (this.#lines < 0) this.#refuse(type);
  }

  #enum(type: EnumType | Enum64Type, head: string, indent: string): string {
    const all: readonly { readonly name: string; readonly value: number | bigint }[] = type.values;
    this.#lines -= all.length;
    if (this.#lines < 0) this.#refuse(type);
    const lines = all.map(({ name, value }) => {
      const line = `${indent}\t${this.#names.constant(name)} = ${number(value)},\n`;
      this.#count(type, line);
      return line;
    });
    // C has no enum without a value.
    if (lines.length === 0) return type.name === '' ? 'int' : head;
    return `${head} {\n${lines.join('')}${indent}}${sizeAttribute(type)}`;
  }

  #refuse(type: BtfType): never {
    const position = { section: '.BTF', offset: 0 };
    const why = 'types without a name, or gaps, would fill more text than there is';
    throw new FormatError('btf-type-loop', `type ${type.id} does not end`, position, { where: this.#btf.name, why });
  }
}

function roundUp(value: number, step: number): number {
  return Math.ceil(value / step) * step;
}

/** What a compiler has to be told about an enum that is not as large as its values make it. */
function sizeAttribute(type: EnumType | Enum64Type): string {
  const isWide =
    type.kind === 'enum64' && type.values.some(({ value }) => value > 0xffff_ffffn || value < -0x8000_0000n);
  const mode = { 1: 'byte', 2: 'HI', 8: isWide ? undefined : 'DI' }[type.size];
  return mode === undefined ? '' : ` __attribute__((mode(${mode})))`;
}

/** A constant of C, with the suffix that makes it as wide as it needs to be. */
function number(value: number | bigint): string {
  if (value > 0x7fff_ffff_ffff_ffffn) return `${value}ULL`;
  if (value > 0xffff_ffff || value < -0x8000_0000)
    return value === -(2n ** 63n) ? '(-9223372036854775807LL - 1)' : `${value}LL`;
  return value > 0x7fff_ffff ? `${value}U` : `${value}`;
}
