import { decodeUtf8 } from '../bytes.ts';
import { FormatError } from '../errors.ts';

/** A BTF string section, decoded once: a kernel's holds 100,000 names, and slices of one long text are nearly free. */
export class StringSection {
  readonly size: number;
  readonly #bytes: Uint8Array;
  readonly #where: string;
  #text: string | undefined;

  constructor(bytes: Uint8Array, where: string) {
    this.size = bytes.length;
    this.#bytes = bytes;
    this.#where = where;
  }

  /** The string that starts at `offset` bytes; offsets into the middle of another string are allowed. Throws {@link FormatError}. */
  at(offset: number): string {
    if (offset >= this.size) {
      throw new FormatError(
        'btf-string-offset',
        'a string offset out of range',
        { section: '.BTF strings', offset },
        {
          where: this.#where,
          why: `the strings take ${this.size} bytes`,
        },
      );
    }
    // One character per byte, so that offsets into the text are offsets into the bytes.
    this.#text ??= Buffer.from(this.#bytes.buffer, this.#bytes.byteOffset, this.#bytes.length).toString('latin1');
    const end = this.#text.indexOf('\0', offset);
    const text = this.#text.slice(offset, end);
    return NOT_ASCII.test(text) ? decodeUtf8(this.#bytes.subarray(offset, end)) : text;
  }
}

const NOT_ASCII = /[\x80-\xff]/;
