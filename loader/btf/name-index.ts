import { StringSection } from './strings.ts';
import type { TypeIndex } from './type-index.ts';

/**
 * Finds types by name without making text of 100,000 names. Of a kind that has few types, such as the 400 variables of a kernel, the name of
 * each is compared. Of others, the first lookups search the bytes of the string section and then the types
 * that refer to what was found, which takes a fraction of a millisecond each. Whoever goes on asking gets an index: none where the types
 * are sorted by name already, as resolve_btfids leaves them since Linux 7.0 (bisection, as btf_find_by_name_bsearch in kernel/bpf/btf.c
 * does it), else a hash table.
 */
export class NameIndex {
  readonly #types: TypeIndex;
  readonly #kinds: Uint8Array;
  readonly #strings: StringSection;
  /** By kind number: the positions of its types, null if they are many. */
  readonly #rare: (readonly number[] | null)[] = [];
  #searches = 0;
  #lookup: ((name: string) => number[]) | undefined;

  constructor(types: TypeIndex, strings: StringSection) {
    this.#types = types;
    this.#kinds = types.kinds;
    this.#strings = strings;
  }

  /** Positions of all types with this name and kind number, ascending. The empty name stands for all that have none. */
  positions(name: string, kind: number): readonly number[] {
    if (name.includes('\0')) return [];
    const rare = this.#rareOf(kind);
    if (rare !== null) return this.#compareAll(name, rare);
    return this.#named(name).filter((position) => this.#kinds[position] === kind);
  }

  #rareOf(kind: number): readonly number[] | null {
    const known = this.#rare[kind];
    if (known !== undefined) return known;
    const kinds = this.#kinds;
    const positions: number[] = [];
    for (
      let at = kinds.indexOf(kind);
      at !== -1 && positions.length <= MOST_COMPARED;
      at = kinds.indexOf(kind, at + 1)
    ) {
      positions.push(at);
    }
    const rare = positions.length > MOST_COMPARED ? null : positions;
    this.#rare[kind] = rare;
    return rare;
  }

  #compareAll(name: string, positions: readonly number[]): number[] {
    const wanted = Buffer.from(name);
    return positions.filter((position) => this.#strings.compare(this.#types.nameOf(position), wanted) === 0);
  }

  #named(name: string): readonly number[] {
    if (name === '') return this.#anonymous();
    if (this.#lookup === undefined && this.#searches < MOST_SEARCHES) {
      this.#searches += 1;
      const offsets = this.#strings.offsetsOf(name);
      if (offsets !== null) return this.#at(offsets);
    }
    this.#lookup ??= this.#isSorted() ? (wanted) => this.#bisect(wanted) : this.#hash();
    return this.#lookup(name);
  }

  #at(offsets: readonly number[]): number[] {
    const { names } = this.#types;
    const found: number[] = [];
    for (const offset of offsets) {
      for (let at = names.indexOf(offset); at !== -1; at = names.indexOf(offset, at + 1)) found.push(at);
    }
    return offsets.length > 1 ? found.sort((a, b) => a - b) : found;
  }

  #anonymous(): number[] {
    const found: number[] = [];
    this.#types.names.forEach((offset, position) => {
      if (this.#strings.firstByte(offset) === 0) found.push(position);
    });
    return found;
  }

  /** Whether every name is followed by the same or a later one. Of a BTF that is not sorted, it looks at the first few only. */
  #isSorted(): boolean {
    const { names } = this.#types;
    for (let at = 1; at < names.length; at++) {
      if (!this.#strings.inOrder(names[at - 1] ?? 0, names[at] ?? 0)) return false;
    }
    return true;
  }

  #bisect(name: string): number[] {
    const { names } = this.#types;
    const wanted = Buffer.from(name);
    let [low, high] = [0, names.length];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#strings.compare(names[middle] ?? 0, wanted) < 0) low = middle + 1;
      else high = middle;
    }
    const found: number[] = [];
    for (; low < names.length && this.#strings.compare(names[low] ?? 0, wanted) === 0; low++) found.push(low);
    return found;
  }

  /** Buckets of positions: the first of each, and what follows each. Types without a name are in none. */
  #hash(): (name: string) => number[] {
    const { names } = this.#types;
    const strings = this.#strings;
    const mask = 2 ** Math.ceil(Math.log2(names.length + 1)) - 1;
    const first = new Int32Array(mask + 1).fill(-1);
    const next = new Int32Array(names.length);
    // Backwards, so that the positions of a bucket ascend.
    for (let position = names.length - 1; position >= 0; position--) {
      const offset = names[position] ?? 0;
      if (strings.firstByte(offset) === 0) continue;
      const bucket = strings.hash(offset) & mask;
      next[position] = first[bucket] ?? -1;
      first[bucket] = position;
    }
    return (name) => {
      const wanted = Buffer.from(name);
      const found: number[] = [];
      const bucket = StringSection.hashOf(wanted) & mask;
      for (let position = first[bucket] ?? -1; position !== -1; position = next[position] ?? -1) {
        if (strings.compare(names[position] ?? 0, wanted) === 0) found.push(position);
      }
      return found;
    };
  }
}

/** Comparing as many names takes less than searching all of them. */
const MOST_COMPARED = 1024;

/** An index takes as long as some fifty searches. */
const MOST_SEARCHES = 32;
