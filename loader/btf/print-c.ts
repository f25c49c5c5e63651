import { type Btf, MAX_RESOLVE_DEPTH, type TypeId } from './btf.ts';
import { type DeclarationStyle, declare } from './declarator.ts';
import type { BtfType, CompositeType, Enum64Type, EnumType, Member } from './types.ts';

/** How much of a definition is printed. */
export interface PrintOptions {
  /** Members or values at most, those of nested structs included; how many more there are stands in a comment. Default: 12. */
  readonly members?: number;
}

/**
 * A variable or function of BTF as C declares it: `extern const int bpf_prog_active;`, `extern void (*hook)(int cpu, void *data);`. Structs without a
 * name are written out. What C cannot say, such as a type tag, is left out. Never throws for types that refer to each other without end.
 *
 * @param id a VAR or FUNC; of any other kind the type alone is written, as with a variable that has no name
 * @throws FormatError for a type that is not there
 */
export function printDeclaration(btf: Btf, id: TypeId, options: PrintOptions = {}): string {
  const type = btf.type(id);
  const style = new Printer(btf, options).style('');
  // Whatever its linkage in the kernel: pahole calls every function static, and to a program all of them are extern.
  if (type.kind === 'var' || type.kind === 'func') return `extern ${declare(btf, type.type, type.name, style)};`;
  return `${declare(btf, id, '', style)};`;
}

/**
 * A struct, union, enum or typedef as C defines it, with members in their order and bit fields with their width; padding and attributes are left out. Null for
 * other kinds. The layout is that of `bpftool btf dump … format c`, of one type alone.
 *
 * @throws FormatError for a type that is not there
 */
export function printDefinition(btf: Btf, id: TypeId, options: PrintOptions = {}): string | null {
  const type = btf.type(id);
  const printer = new Printer(btf, options);
  switch (type.kind) {
    case 'struct':
    case 'union':
    case 'enum':
    case 'enum64':
      return `${printer.body(type, '')};`;
    case 'typedef':
      return `typedef ${declare(btf, type.type, type.name, printer.style(''))};`;
    case 'fwd':
      return `${type.union ? 'union' : 'struct'} ${type.name};`;
    default:
      return null;
  }
}

/**
 * The kernel's declaration of a variable or function, and below it the definition of the struct, union or enum that the variable is or that it is an array of.
 *
 * @param id a VAR or FUNC
 */
export function printWithDefinition(btf: Btf, id: TypeId, options: PrintOptions = {}): string {
  const declaration = printDeclaration(btf, id, options);
  const type = btf.type(id);
  const composite = type.kind === 'var' ? namedComposite(btf, type.type) : null;
  const definition = composite === null ? null : printDefinition(btf, composite.id, options);
  return definition === null ? declaration : `${declaration}\n\n${definition}`;
}

const MOST_MEMBERS = 12;

/** More than a person could read in one declaration. */
const MOST_TYPES = 64;

/** Structs without a name inside of each other; damaged BTF may have them without end. */
const DEEPEST = 8;

/** Values of an enum and members of a struct are counted down together. */
class Printer {
  readonly #btf: Btf;
  #left: number;
  #depth = 0;

  constructor(btf: Btf, { members = MOST_MEMBERS }: PrintOptions) {
    this.#btf = btf;
    this.#left = members;
  }

  /** For declarations on a line that is indented so. */
  style(indent: string): DeclarationStyle {
    return { left: MOST_TYPES, parameterNames: true, anonymous: (type) => this.body(type, indent) };
  }

  /** `struct NAME { … }`, without a semicolon; the first line is not indented. */
  body(type: CompositeType | EnumType | Enum64Type, indent: string): string {
    const head = [type.kind === 'enum64' ? 'enum' : type.kind, ...(type.name === '' ? [] : [type.name])].join(' ');
    if (this.#depth >= DEEPEST) return `${head} {…}`;
    this.#depth += 1;
    const inside = `${indent}\t`;
    const lines = 'members' in type ? this.#members(type.members, inside) : this.#values(type.values, inside);
    this.#depth -= 1;
    return lines.length === 0 ? `${head} {}` : [`${head} {`, ...lines, `${indent}}`].join('\n');
  }

  #members(members: readonly Member[], indent: string): string[] {
    return this.#lines(members, 'member', indent, ({ name, type, bitSize }) => {
      const declared = declare(this.#btf, type, name, this.style(indent));
      return `${declared}${bitSize === 0 ? '' : `: ${bitSize}`};`;
    });
  }

  #values(values: EnumType['values'] | Enum64Type['values'], indent: string): string[] {
    const all: readonly { readonly name: string; readonly value: number | bigint }[] = values;
    return this.#lines(all, 'value', indent, ({ name, value }) => `${name} = ${value},`);
  }

  #lines<T>(items: readonly T[], noun: string, indent: string, print: (item: T) => string): string[] {
    const lines: string[] = [];
    for (const [index, item] of items.entries()) {
      if (this.#left <= 0) {
        const more = items.length - index;
        lines.push(`${indent}/* ${more} more ${noun}${more === 1 ? '' : 's'} */`);
        break;
      }
      this.#left -= 1;
      lines.push(`${indent}${print(item)}`);
    }
    return lines;
  }
}

/** What a variable is, or an array of it, if that has a name; through typedefs and qualifiers. */
function namedComposite(btf: Btf, id: TypeId): BtfType | null {
  let type = btf.resolve(id);
  for (let depth = 0; type.kind === 'array' && depth < MAX_RESOLVE_DEPTH; depth += 1) type = btf.resolve(type.type);
  const isComposite = type.kind === 'struct' || type.kind === 'union' || type.kind === 'enum' || type.kind === 'enum64';
  return isComposite && type.name !== '' ? type : null;
}
