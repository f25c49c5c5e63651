import type { BtfType, TypeId } from './types.ts';

type Tag = 'struct' | 'union' | 'enum';

/**
 * Names as C can have them, each once: BTF may have two structs of the same name, from two source files, and two enums that define the same
 * constant. The second gets `___2`, which CO-RE leaves out of account, as a flavor.
 */
export class CNames {
  readonly #names = new Map<TypeId, string>();
  /** Structs, unions and enums share one name space; what a name stands for, and whether it is taken by more than a forward declaration. */
  readonly #tags = new Map<string, { readonly tag: Tag; readonly owner: TypeId | null }>();
  /** Typedefs and the constants of enums share another. */
  readonly #identifiers = new Set<string>();

  /** `struct NAME`, `union NAME` or `enum NAME`. A forward declaration shares the name of the first struct that has it. */
  tagged(type: BtfType): string {
    const known = this.#names.get(type.id);
    if (known !== undefined) return known;
    const tag = tagOf(type);
    const wanted = identifier(type.name);
    for (let count = 1; ; count++) {
      const name = count === 1 ? wanted : `${wanted}___${count}`;
      const taken = this.#tags.get(name);
      const isForward = type.kind === 'fwd';
      if (taken !== undefined && (taken.tag !== tag || (!isForward && taken.owner !== null))) continue;
      if (!isForward || taken === undefined) this.#tags.set(name, { tag, owner: isForward ? null : type.id });
      const full = `${tag} ${name}`;
      this.#names.set(type.id, full);
      return full;
    }
  }

  /** The name of a typedef. */
  typedef(type: BtfType): string {
    const known = this.#names.get(type.id);
    if (known !== undefined) return known;
    const name = this.constant(type.name);
    this.#names.set(type.id, name);
    return name;
  }

  /** A name for a constant of an enum, another one each time. */
  constant(wanted: string): string {
    const plain = identifier(wanted);
    let name = plain;
    for (let count = 2; this.#identifiers.has(name); count++) name = `${plain}___${count}`;
    this.#identifiers.add(name);
    return name;
  }
}

function tagOf(type: BtfType): Tag {
  if (type.kind === 'fwd') return type.union ? 'union' : 'struct';
  return type.kind === 'struct' || type.kind === 'union' ? type.kind : 'enum';
}

/** Languages other than C name types and members with signs that C has not. */
export function identifier(name: string): string {
  return name.replace(/[^A-Za-z0-9_$]/g, '_').replace(/^(?=[0-9]|$)/, '_');
}
