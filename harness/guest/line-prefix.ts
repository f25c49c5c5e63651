/** Puts a prefix before each line of a stream of bytes, and holds a line back until it is whole, so that lines of several streams do not mix. */
export class LinePrefix {
  readonly #prefix: Buffer;
  readonly #write: (bytes: Buffer) => void;
  #partial: Buffer = Buffer.alloc(0);

  constructor(prefix: string, write: (bytes: Buffer) => void) {
    this.#prefix = Buffer.from(prefix);
    this.#write = write;
  }

  add(chunk: Uint8Array): void {
    const bytes = Buffer.concat([this.#partial, chunk]);
    const last = bytes.lastIndexOf(NEWLINE);
    this.#partial = bytes.subarray(last + 1);
    const lines: Buffer[] = [];
    for (let start = 0; start <= last; ) {
      const end = bytes.indexOf(NEWLINE, start) + 1;
      lines.push(this.#prefix, bytes.subarray(start, end));
      start = end;
    }
    if (lines.length > 0) this.#write(Buffer.concat(lines));
    // A line without an end must not fill the memory.
    if (this.#partial.length > LONGEST) this.end();
  }

  /** Writes what has no newline, with one. */
  end(): void {
    if (this.#partial.length > 0) this.#write(Buffer.concat([this.#prefix, this.#partial, Buffer.from('\n')]));
    this.#partial = Buffer.alloc(0);
  }
}

const NEWLINE = 0x0a;
const LONGEST = 1 << 20;
