/** Bytes of a program's output that are kept from its beginning: an adapter's document with its logs and data has room in it. */
const HEAD_BYTES = 32 << 20;
/** Bytes that are kept of what follows: the end. */
const TAIL_BYTES = 64 << 10;

/** What a program prints, with the middle left out where there is too much of it. */
export class BoundedText {
  readonly #headBytes: number;
  readonly #tailBytes: number;
  readonly #head: Uint8Array[] = [];
  #headLength = 0;
  #tail: Uint8Array = new Uint8Array();
  #left = 0;

  /** How much is kept of the beginning and of the end, in bytes. */
  constructor(headBytes = HEAD_BYTES, tailBytes = TAIL_BYTES) {
    this.#headBytes = headBytes;
    this.#tailBytes = tailBytes;
  }

  /** Takes what was printed next. */
  add(chunk: Uint8Array): void {
    const room = this.#headBytes - this.#headLength;
    const first = chunk.subarray(0, room);
    if (first.length > 0) this.#head.push(first.slice());
    this.#headLength += first.length;
    if (chunk.length <= room) return;
    const tail = Buffer.concat([this.#tail, chunk.subarray(Math.max(room, 0))]);
    this.#left += Math.max(0, tail.length - this.#tailBytes);
    this.#tail = tail.subarray(-this.#tailBytes);
  }

  /** All of it as UTF-8; says where bytes are missing, and how many. */
  get text(): string {
    const head = Buffer.concat(this.#head).toString('utf8');
    if (this.#tail.length === 0) return head;
    const gap = this.#left === 0 ? '' : `\n... ${this.#left} bytes are left out here ...\n`;
    return `${head}${gap}${Buffer.from(this.#tail).toString('utf8')}`;
  }
}
