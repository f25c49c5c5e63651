import { Buffer } from 'node:buffer';
import { FormatError } from '../errors.ts';

/** One line of `/proc/kallsyms`. */
export interface KallsymsEntry {
  /** 0 for hidden addresses, and for per-CPU symbols at the start of their section on kernels before 6.15. */
  readonly address: bigint;
  /** The letter as in `nm`; it changes between kernels for the same symbol and is not to be relied on. */
  readonly type: string;
  /** As listed, with a `.llvm.` suffix if it has one. */
  readonly name: string;
  /** The module's name, null for the kernel itself. */
  readonly module: string | null;
}

const NEWLINE = 0x0a;
const SPACE = 0x20;
const TAB = 0x09;
const ZERO = 0x30;

/** With fewer lines than this, addresses that are all zero say nothing about `kptr_restrict`. */
const A_HANDFUL = 16;

/**
 * `/proc/kallsyms`, searched by name. The text (some 9 MB and 190,000 lines) is checked once and kept as bytes:
 * entries are made only for names that are asked for.
 */
export class Kallsyms {
  /** Lines. */
  readonly count: number;
  /** Whether the kernel hid all addresses (`kptr_restrict`, missing CAP_SYSLOG): every one is zero. */
  readonly restricted: boolean;
  readonly #text: Buffer;
  readonly #found = new Map<string, readonly KallsymsEntry[]>();

  private constructor(text: Buffer, count: number, restricted: boolean) {
    this.#text = text;
    this.count = count;
    this.restricted = restricted;
  }

  /**
   * Reads lines of the form `ffffffff81000000 T name` and, for modules, `\t[module]` after it. `bytes` must not change afterwards.
   * @throws FormatError `kallsyms-line` with the number of the first line of another form.
   */
  static parse(bytes: Uint8Array): Kallsyms {
    const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    let count = 0;
    let zeroes = 0;
    for (let start = 0; start < text.length; ) {
      const newline = text.indexOf(NEWLINE, start);
      const end = newline === -1 ? text.length : newline;
      count++;
      if (checkLine(text, start, end, count)) zeroes++;
      start = end + 1;
    }
    return new Kallsyms(text, count, count >= A_HANDFUL && zeroes === count);
  }

  /** The text it was made from; not to be changed. */
  get bytes(): Uint8Array {
    return this.#text;
  }

  /**
   * The same list as the kernel shows it to a reader who may not see addresses: each is zero. The kernel decides that once for a whole
   * reading, when the file is opened (kallsyms_open, kernel/kallsyms.c).
   */
  withoutAddresses(): Kallsyms {
    const text = Buffer.from(this.#text);
    for (let start = 0; start < text.length; ) {
      text.fill(ZERO, start, text.indexOf(SPACE, start));
      const newline = text.indexOf(NEWLINE, start);
      start = newline === -1 ? text.length : newline + 1;
    }
    return new Kallsyms(text, this.count, this.count >= A_HANDFUL);
  }

  /**
   * All entries of that name, in file order; of several with the same address only the first. Where no name matches exactly,
   * those with a suffix that clang adds to static symbols with link-time optimisation (`name.llvm.123`).
   */
  find(name: string): readonly KallsymsEntry[] {
    const known = this.#found.get(name);
    if (known !== undefined) return known;
    const found = this.#search(name);
    this.#found.set(name, found);
    return found;
  }

  #search(name: string): readonly KallsymsEntry[] {
    if (name === '' || /\s/.test(name)) return [];
    const exact = new Map<bigint, KallsymsEntry>();
    const suffixed = new Map<bigint, KallsymsEntry>();
    const needle = Buffer.from(` ${name}`);
    for (let at = this.#text.indexOf(needle); at !== -1; at = this.#text.indexOf(needle, at + 1)) {
      const entry = this.#entryAround(at);
      if (entry.name === name) addFirst(exact, entry);
      else if (entry.name.startsWith(`${name}.llvm.`)) addFirst(suffixed, entry);
    }
    return [...(exact.size > 0 ? exact : suffixed).values()];
  }

  #entryAround(position: number): KallsymsEntry {
    // A negative start would count from the end of the text.
    const before = position === 0 ? -1 : this.#text.lastIndexOf(NEWLINE, position - 1);
    const newline = this.#text.indexOf(NEWLINE, position);
    const line = this.#text.toString('utf8', before + 1, newline === -1 ? this.#text.length : newline);
    const [symbol = '', module] = line.split('\t');
    const [address = '', type = '', name = ''] = symbol.split(' ');
    return { address: BigInt(`0x${address}`), type, name, module: module?.slice(1, -1) ?? null };
  }
}

function addFirst(entries: Map<bigint, KallsymsEntry>, entry: KallsymsEntry): void {
  if (!entries.has(entry.address)) entries.set(entry.address, entry);
}

/** Checks the line's form; returns whether its address is zero. */
function checkLine(text: Buffer, start: number, end: number, line: number): boolean {
  let at = start;
  let zero = true;
  for (; at < end && isHexDigit(text[at]); at++) {
    if (text[at] !== ZERO) zero = false;
  }
  const digits = at - start;
  const formed =
    digits > 0 &&
    digits <= 16 &&
    text[at] === SPACE &&
    text[at + 2] === SPACE &&
    at + 3 < end &&
    isNameByte(text[at + 3]);
  if (!formed || !endsWell(text, at + 3, end)) {
    const shown = text.toString('utf8', start, Math.min(end, start + 80));
    throw new FormatError(
      'kallsyms-line',
      `line ${line} is malformed`,
      { section: 'kallsyms', offset: start },
      {
        why: `expected \`ADDRESS LETTER NAME\` and perhaps a tab and \`[MODULE]\`, found ${JSON.stringify(shown)}`,
      },
    );
  }
  return zero;
}

function endsWell(text: Buffer, nameStart: number, end: number): boolean {
  // Only lines of modules have a bracket, and most lines end without one: look from the end.
  if (text[end - 1] !== 0x5d) return !hasBlank(text, nameStart, end);
  const tab = text.lastIndexOf(TAB, end - 1);
  return tab > nameStart && text[tab + 1] === 0x5b && !hasBlank(text, nameStart, tab) && !hasBlank(text, tab + 1, end);
}

function hasBlank(text: Buffer, start: number, end: number): boolean {
  for (let at = start; at < end; at++) {
    const byte = text[at];
    if (byte === SPACE || byte === TAB || byte === 0) return true;
  }
  return false;
}

function isNameByte(byte: number | undefined): boolean {
  return byte !== undefined && byte !== SPACE && byte !== TAB;
}

function isHexDigit(byte: number | undefined): boolean {
  return (
    byte !== undefined &&
    ((byte >= 0x30 && byte <= 0x39) || (byte >= 0x61 && byte <= 0x66) || (byte >= 0x41 && byte <= 0x46))
  );
}
