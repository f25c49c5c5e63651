import { Buffer } from 'node:buffer';
import { FormatError } from '../errors.ts';
import { indexLines, type LineIndex } from './kallsyms-index.ts';

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
  readonly #lines: LineIndex;
  readonly #found = new Map<string, readonly KallsymsEntry[]>();

  private constructor(text: Buffer, lines: LineIndex, restricted: boolean) {
    this.#text = text;
    this.#lines = lines;
    this.count = lines.count;
    this.restricted = restricted;
  }

  /**
   * Reads lines of the form `ffffffff81000000 T name` and, for modules, `\t[module]` after it. `bytes` must not change afterwards.
   * @throws FormatError `kallsyms-line` with the number of the first line of another form.
   */
  static parse(bytes: Uint8Array): Kallsyms {
    const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    const lines = indexLines(text);
    if (lines.malformed !== -1) refuseLine(text, lines.malformed, lines.count + 1);
    return new Kallsyms(text, lines, lines.count >= A_HANDFUL && lines.zeroes === lines.count);
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
    return new Kallsyms(text, this.#lines, this.count >= A_HANDFUL);
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
    for (const start of this.#lines.candidates(Buffer.from(name))) {
      const entry = this.#entryAt(start);
      if (entry.name === name) addFirst(exact, entry);
      else if (entry.name.startsWith(`${name}.llvm.`)) addFirst(suffixed, entry);
    }
    return [...(exact.size > 0 ? exact : suffixed).values()];
  }

  #entryAt(start: number): KallsymsEntry {
    const newline = this.#text.indexOf(NEWLINE, start);
    const line = this.#text.toString('utf8', start, newline === -1 ? this.#text.length : newline);
    const [symbol = '', module] = line.split('\t');
    const [address = '', type = '', name = ''] = symbol.split(' ');
    return { address: BigInt(`0x${address}`), type, name, module: module?.slice(1, -1) ?? null };
  }
}

function addFirst(entries: Map<bigint, KallsymsEntry>, entry: KallsymsEntry): void {
  if (!entries.has(entry.address)) entries.set(entry.address, entry);
}

function refuseLine(text: Buffer, start: number, line: number): never {
  const newline = text.indexOf(NEWLINE, start);
  const shown = text.toString('utf8', start, Math.min(newline === -1 ? text.length : newline, start + 80));
  const why = `expected \`ADDRESS LETTER NAME\` and perhaps a tab and \`[MODULE]\`, found ${JSON.stringify(shown)}`;
  throw new FormatError('kallsyms-line', `line ${line} is malformed`, { section: 'kallsyms', offset: start }, { why });
}
