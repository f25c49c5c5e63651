import { decodeUtf8 } from '../bytes.ts';
import { FormatError } from '../errors.ts';

/**
 * The string section of a BTF blob, behind that of its base if it is split: offsets count through both. A kernel's holds 100,000 names,
 * so names are looked for and compared as bytes, and text is made only of what is asked for.
 */
export class StringSection {
  /** The first offset of its own: 0, or where the base's strings end. */
  readonly first: number;
  /** One past the last offset. */
  readonly end: number;
  readonly #bytes: Buffer;
  readonly #base: StringSection | null;
  readonly #where: string;
  #text: string | undefined;
  #reads = 0;
  #allAscii = false;
  /** Long strings, and those that are not ASCII, by offset; what they took together. */
  readonly #costly = new Map<number, string>();
  #cost = 0;
  #lastSearch: { readonly name: string; readonly offsets: readonly number[] | null } | undefined;

  constructor(bytes: Uint8Array, where: string, base: StringSection | null = null) {
    this.#bytes = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
    this.#base = base;
    this.#where = where;
    this.first = base?.end ?? 0;
    this.end = this.first + bytes.length;
  }

  /** The string that starts at `offset` bytes; offsets into the middle of another string are allowed. Throws {@link FormatError}. */
  at(offset: number): string {
    if (offset < this.first && this.#base !== null) return this.#base.at(offset);
    const start = offset - this.first;
    if (offset >= this.end) {
      throw new FormatError(
        'btf-string-offset',
        'a string offset out of range',
        { section: '.BTF strings', offset: start },
        {
          where: this.#where,
          why: `the strings take ${this.#bytes.length} bytes`,
        },
      );
    }
    return this.#costly.get(start) ?? this.#read(start);
  }

  /**
   * Every offset at which this string stands, the ends of longer strings included, ascending; null if there are too many to be worth it.
   * The last answer is kept: the modules of a kernel ask their common base one after the other.
   */
  offsetsOf(name: string): readonly number[] | null {
    if (this.#lastSearch?.name !== name) this.#lastSearch = { name, offsets: this.#search(name) };
    return this.#lastSearch.offsets;
  }

  /** The first offset at which this string stands, be it as the end of a longer one; undefined if there is none. */
  offsetOf(name: string): number | undefined {
    const inBase = this.#base?.offsetOf(name);
    if (inBase !== undefined) return inBase;
    const at = this.#bytes.indexOf(`${name}\0`);
    return at === -1 ? undefined : this.first + at;
  }

  /** The first byte of the string at `offset`; 0 for the empty string and for an offset out of range. */
  firstByte(offset: number): number {
    const section = this.#sectionOf(offset);
    return section.#bytes[offset - section.first] ?? 0;
  }

  /** A number of 32 bits that equal strings share; of very long ones, only the start counts. */
  hash(offset: number): number {
    const section = this.#sectionOf(offset);
    return hashUntilZero(section.#bytes, offset - section.first);
  }

  /** The number that {@link StringSection.hash} gives for a string of these bytes. */
  static hashOf(name: Uint8Array): number {
    return hashUntilZero(name, 0);
  }

  /** Negative, 0 or positive as the string at `offset` comes before `name`, is it, or comes after it, byte for byte. */
  compare(offset: number, name: Uint8Array): number {
    const section = this.#sectionOf(offset);
    const bytes = section.#bytes;
    for (let at = 0, from = offset - section.first; ; at++) {
      const byte = bytes[from + at] ?? 0;
      const other = name[at] ?? 0;
      if (byte !== other || byte === 0) return byte - other;
    }
  }

  /** Whether the string at `offset` is the one at `other` or comes before it, byte for byte; false for what is too long to be a name. */
  inOrder(offset: number, other: number): boolean {
    if (offset === other) return true;
    const [left, right] = [this.#sectionOf(offset), this.#sectionOf(other)];
    for (let at = 0; at < LONGEST_NAME; at++) {
      const byte = left.#bytes[offset - left.first + at] ?? 0;
      const next = right.#bytes[other - right.first + at] ?? 0;
      if (byte !== next || byte === 0) return byte <= next;
    }
    return false;
  }

  #sectionOf(offset: number): StringSection {
    return offset < this.first && this.#base !== null ? this.#base.#sectionOf(offset) : this;
  }

  #read(start: number): string {
    if (this.#text === undefined && this.#reads < MOST_READS) {
      const text = this.#decode(start);
      if (text.length <= LONG) return text;
    }
    const all = this.#text ?? this.#makeText();
    const end = all.indexOf('\0', start);
    const text = all.slice(start, end);
    if (text.length <= LONG && (this.#allAscii || !NOT_ASCII.test(text))) return text;
    this.#cost += text.length;
    if (this.#cost > COST_FACTOR * (this.#bytes.length + LONG)) this.#refuseOverlap(start);
    const decoded = decodeUtf8(this.#bytes.subarray(start, end));
    this.#costly.set(start, decoded);
    return decoded;
  }

  /** The first few, from their bytes: text of a whole section takes longer. */
  #decode(start: number): string {
    const end = this.#bytes.indexOf(0, start);
    this.#reads += 1 + Math.floor((end - start) / 64);
    return this.#bytes.toString('utf8', start, end);
  }

  /** One character per byte, so that offsets into the text are offsets into the bytes, and a slice of it is nearly free. */
  #makeText(): string {
    const text = this.#bytes.toString('latin1');
    this.#allAscii = !NOT_ASCII.test(text);
    this.#text = text;
    return text;
  }

  /** Names that are ends of one long string would take more time and memory than there is. */
  #refuseOverlap(start: number): never {
    const position = { section: '.BTF strings', offset: start };
    throw new FormatError('btf-strings', 'too many long strings share their ends', position, { where: this.#where });
  }

  #search(name: string): readonly number[] | null {
    const offsets = this.#base === null ? [] : [...(this.#base.offsetsOf(name) ?? [])];
    if (this.#base !== null && this.#base.offsetsOf(name) === null) return null;
    const needle = Buffer.from(`${name}\0`);
    for (let at = this.#bytes.indexOf(needle); at !== -1; at = this.#bytes.indexOf(needle, at + 1)) {
      if (offsets.length >= MOST_OFFSETS) return null;
      offsets.push(this.first + at);
    }
    return offsets;
  }
}

const NOT_ASCII = /[\x80-\xff]/;

/** Strings that are read one by one, long ones counted more often. */
const MOST_READS = 4096;

/** Characters of a name that no compiler and no kernel has: KSYM_NAME_LEN is 512. Lines of source code may be longer. */
const LONG = 4096;

/** How often a section may be read over, in long strings. */
const COST_FACTOR = 16;

/** Names are taken to be the same or different by so many bytes where it is for an index only. */
const LONGEST_NAME = 512;

/** Thousands of names end in `a`. */
const MOST_OFFSETS = 64;

/** FNV-1a. */
function hashUntilZero(bytes: Uint8Array, start: number): number {
  let hash = 0x811c9dc5;
  for (let at = start; at < start + LONGEST_NAME; at++) {
    const byte = bytes[at] ?? 0;
    if (byte === 0) break;
    hash = Math.imul(hash ^ byte, 0x01000193);
  }
  return hash;
}
