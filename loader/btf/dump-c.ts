import { FormatError } from '../errors.ts';
import type { Btf } from './btf.ts';
import { BUILTIN_LIST, CBodies } from './c-bodies.ts';
import { CNames } from './c-names.ts';
import type { BtfType, TypeId } from './types.ts';

/** How a header is written. */
export interface DumpOptions {
  /** The macro that keeps it from being included twice. Default: `__VMLINUX_H__`, by which libbpf's headers know that kernel types are there. */
  readonly guard?: string;
  /** Whether clang is to make every access to a member relocatable (CO-RE). Default: true. */
  readonly preserveAccessIndex?: boolean;
}

/**
 * All types of a BTF as a C header, such as a kernel's `vmlinux.h`: structs, unions, enums and typedefs, each after what it needs, forward declarations
 * where types refer to each other. Structs have the layout that BTF says, by `packed` and unnamed bit fields where it takes them.
 * Types of the same name are told apart by `___2`. Of split BTF its own types are written, and those of the base that they need.
 *
 * @throws FormatError for damaged BTF, `btf-type-loop` for types that contain themselves
 */
export function dumpC(btf: Btf, options: DumpOptions = {}): string {
  const { guard = '__VMLINUX_H__', preserveAccessIndex = true } = options;
  const text = new Dump(btf).run();
  // Clang warns of an attribute that it puts on nothing.
  const [push, pop] = preserveAccessIndex && /\b(struct|union)\b[^;{]*\{/.test(text) ? [PUSH, POP] : ['', ''];
  return `#ifndef ${guard}\n#define ${guard}\n\n${push}${text}${pop}#endif\n`;
}

const PUSH = `#ifndef BPF_NO_PRESERVE_ACCESS_INDEX
#pragma clang attribute push (__attribute__((preserve_access_index)), apply_to = record)
#endif

`;
const POP = `#ifndef BPF_NO_PRESERVE_ACCESS_INDEX
#pragma clang attribute pop
#endif

`;

/** Structs inside of structs, pointers to pointers: far more than any kernel has. */
const DEEPEST = 500;

/** Words of C since C23 that kernels define for themselves. */
const WORDS_OF_C23 = ['bool', 'true', 'false'];

class Dump {
  readonly #btf: Btf;
  readonly #names = new CNames();
  readonly #bodies: CBodies;
  readonly #blocks: string[] = [];
  readonly #begun = new Set<TypeId>();
  /** `struct NAME`, once it can be referred to. */
  readonly #announced = new Set<string>();
  #depth = 0;

  constructor(btf: Btf) {
    this.#btf = btf;
    this.#bodies = new CBodies(btf, this.#names);
  }

  run(): string {
    const used = usedAnonymousEnums(this.#btf);
    for (const type of this.#btf.types()) {
      if (type.name !== '') this.#complete(type.id);
      else if ((type.kind === 'enum' || type.kind === 'enum64') && !used.has(type.id)) this.#define(type);
    }
    return this.#blocks.map((block) => `${block}\n\n`).join('');
  }

  /** Writes what must stand before a value of this type can be declared. */
  #complete(id: TypeId): void {
    const type = this.#btf.type(id);
    switch (type.kind) {
      case 'struct':
      case 'union':
        if (type.name === '') this.#members(type);
        else this.#once(type, () => this.#members(type));
        break;
      case 'typedef':
        this.#deeper(id, () => this.#complete(type.type));
        this.#mention(id);
        break;
      case 'array':
      case 'const':
      case 'volatile':
      case 'restrict':
      case 'type_tag':
        this.#deeper(id, () => this.#complete(type.type));
        break;
      default:
        this.#mention(id);
    }
  }

  /** Writes what must stand before this type can be spoken of, as behind a pointer. */
  #mention(id: TypeId): void {
    const type = this.#btf.type(id);
    switch (type.kind) {
      case 'struct':
      case 'union':
      case 'fwd':
        if (type.name === '') {
          if (type.kind !== 'fwd') this.#members(type);
        } else {
          this.#announce(type);
        }
        break;
      case 'enum':
      case 'enum64':
        if (type.name !== '') this.#once(type, () => {});
        break;
      case 'typedef':
        if (type.name === BUILTIN_LIST) this.#deeper(id, () => this.#mention(type.type));
        else this.#once(type, () => this.#mention(type.type));
        break;
      case 'array':
        this.#deeper(id, () => this.#complete(type.type));
        break;
      case 'ptr':
      case 'const':
      case 'volatile':
      case 'restrict':
      case 'type_tag':
        this.#deeper(id, () => this.#mention(type.type));
        break;
      case 'func_proto':
        this.#deeper(id, () => {
          this.#mention(type.returnType);
          for (const param of type.params) this.#mention(param.type);
        });
        break;
      default:
        break;
    }
  }

  /** Whatever the members of a struct need. One without a name is written wherever it is used, but what it needs once. */
  #members(type: BtfType & { readonly kind: 'struct' | 'union' }): void {
    if (type.name === '') {
      if (this.#begun.has(type.id)) return;
      this.#begun.add(type.id);
    }
    this.#deeper(type.id, () => {
      for (const member of type.members) this.#complete(member.type);
    });
  }

  #once(type: BtfType, before: () => void): void {
    if (this.#begun.has(type.id)) return;
    this.#begun.add(type.id);
    this.#deeper(type.id, before);
    this.#define(type);
  }

  #define(type: BtfType): void {
    const text = this.#bodies.definition(type);
    if (type.kind === 'struct' || type.kind === 'union') this.#announced.add(this.#names.tagged(type));
    const names = type.kind === 'enum' ? type.values.map(({ name }) => name) : [type.name];
    const isWord = type.kind !== 'struct' && names.some((name) => WORDS_OF_C23.includes(name));
    this.#blocks.push(isWord ? `#if !defined(__STDC_VERSION__) || __STDC_VERSION__ < 202311L\n${text}\n#endif` : text);
  }

  #announce(type: BtfType): void {
    const name = this.#names.tagged(type);
    if (this.#announced.has(name)) return;
    this.#announced.add(name);
    this.#blocks.push(`${name};`);
  }

  #deeper(id: TypeId, go: () => void): void {
    this.#depth += 1;
    if (this.#depth > DEEPEST) {
      const position = { section: '.BTF', offset: 0 };
      const why = `it nests more than ${DEEPEST} types`;
      throw new FormatError('btf-type-loop', `type ${id} does not end`, position, { where: this.#btf.name, why });
    }
    go();
    this.#depth -= 1;
  }
}

/** Enums without a name that some type has, and that are written there. */
function usedAnonymousEnums(btf: Btf): ReadonlySet<TypeId> {
  const anonymous = new Set<TypeId>();
  for (const kind of ['enum', 'enum64'] as const) {
    for (const type of btf.ofKind(kind)) if (type.name === '') anonymous.add(type.id);
  }
  const used = new Set<TypeId>();
  const use = (id: TypeId): void => {
    if (anonymous.has(id)) used.add(id);
  };
  for (const type of btf.types()) {
    if ('members' in type) for (const member of type.members) use(member.type);
    else if (type.kind !== 'decl_tag' && 'type' in type) use(type.type);
  }
  return used;
}
