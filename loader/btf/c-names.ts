import type { BtfType, TypeId } from './types.ts';

type Tag = 'struct' | 'union' | 'enum';

/**
 * Names as C can have them, each once: BTF may have two structs of the same name, from two source files, and two enums that define the same
 * constant. The second gets `___2`, which CO-RE leaves out of account, as a flavor.
 */
export class CNames {
  readonly #names = new Map<TypeId, string>();
  /** Structs, unions and enums share one name space. */
  readonly #tags = new UniqueNames();
  /** Typedefs and the constants of enums share another. */
  readonly #identifiers = new UniqueNames();
  /** By `struct NAME` of BTF: what the first of that name is called, and whether it has only been announced so far. */
  readonly #first = new Map<string, { readonly name: string; announced: boolean }>();

  /** `struct NAME`, `union NAME` or `enum NAME`. A forward declaration shares the name of the first struct that has it. */
  tagged(type: BtfType): string {
    const known = this.#names.get(type.id);
    if (known !== undefined) return known;
    const name = this.#tag(type, `${tagOf(type)} ${type.name}`);
    this.#names.set(type.id, name);
    return name;
  }

  #tag(type: BtfType, key: string): string {
    const isForward = type.kind === 'fwd';
    const first = this.#first.get(key);
    if (first !== undefined && (isForward || first.announced)) {
      if (!isForward) first.announced = false;
      return first.name;
    }
    const name = `${tagOf(type)} ${this.#tags.take(type.name)}`;
    if (first === undefined) this.#first.set(key, { name, announced: isForward });
    return name;
  }

  /** The name of a typedef. */
  typedef(type: BtfType): string {
    const known = this.#names.get(type.id);
    if (known !== undefined) return known;
    const name = this.#identifiers.take(type.name);
    this.#names.set(type.id, name);
    return name;
  }

  /** A name for a constant of an enum, another one each time. */
  constant(wanted: string): string {
    return this.#identifiers.take(wanted);
  }
}

class UniqueNames {
  readonly #taken = new Set<string>();
  /** By name: the number that the next one of that name gets; counting from the start each time would take long in damaged BTF. */
  readonly #next = new Map<string, number>();

  take(wanted: string): string {
    const plain = identifier(wanted);
    let count = this.#next.get(plain) ?? 1;
    let name: string;
    do {
      name = count === 1 ? plain : `${plain}___${count}`;
      count += 1;
    } while (this.#taken.has(name));
    this.#next.set(plain, count);
    this.#taken.add(name);
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
