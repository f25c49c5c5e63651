import { FormatError } from './errors.ts';

/** Order of the bytes in a number: that of the machine the bytes were written for, never that of the host. */
export type ByteOrder = 'little' | 'big';

/**
 * Reads numbers and strings from bytes nobody has checked yet. The position moves forward with every read.
 * A read that leaves the bytes throws a {@link FormatError} (`out-of-range`) with section, offset, and wanted against available.
 */
export class ByteReader {
  readonly byteOrder: ByteOrder;
  /** Name for messages: an ELF section or a header. */
  readonly section: string;
  readonly length: number;
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  readonly #little: boolean;
  readonly #sectionOffset: number;
  #text: Buffer | undefined;
  #position = 0;

  /** `sectionOffset`: where in `section` the first byte lies, for messages. */
  constructor(bytes: Uint8Array, byteOrder: ByteOrder, section: string, sectionOffset = 0) {
    this.byteOrder = byteOrder;
    this.section = section;
    this.length = bytes.length;
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    this.#little = byteOrder === 'little';
    this.#sectionOffset = sectionOffset;
  }

  /** Offset of the next read, in bytes from the start of this reader. */
  get position(): number {
    return this.#position;
  }

  /** Bytes from the position to the end. */
  get remaining(): number {
    return this.length - this.#position;
  }

  /** Moves to an offset from the start of this reader; the end itself is allowed. */
  seek(position: number): this {
    if (!Number.isSafeInteger(position) || position < 0 || position > this.length) {
      this.#refuse(position, 0);
    }
    this.#position = position;
    return this;
  }

  skip(count: number): this {
    this.#take(count);
    return this;
  }

  u8(): number {
    return this.#view.getUint8(this.#take(1));
  }

  u16(): number {
    return this.#view.getUint16(this.#take(2), this.#little);
  }

  u32(): number {
    return this.#view.getUint32(this.#take(4), this.#little);
  }

  i32(): number {
    return this.#view.getInt32(this.#take(4), this.#little);
  }

  u64(): bigint {
    return this.#view.getBigUint64(this.#take(8), this.#little);
  }

  i64(): bigint {
    return this.#view.getBigInt64(this.#take(8), this.#little);
  }

  /** A view of the next `count` bytes, not a copy. */
  bytes(count: number): Uint8Array {
    const start = this.#take(count);
    return this.#bytes.subarray(start, start + count);
  }

  /** UTF-8 up to the next NUL, which is consumed. Throws `unterminated-string` if there is none. */
  cstring(): string {
    // Buffer decodes as TextDecoder does, and short strings many times faster.
    this.#text ??= Buffer.from(this.#bytes.buffer, this.#bytes.byteOffset, this.length);
    const end = this.#bytes.indexOf(0, this.#position);
    if (end < 0) {
      throw new FormatError('unterminated-string', 'a string has no end', this.at(this.#position), {
        why: `there is no NUL byte in the last ${this.remaining} bytes`,
      });
    }
    const text = this.#text.toString('utf8', this.#position, end);
    this.#position = end + 1;
    return text;
  }

  /** A reader of its own for `length` bytes at `offset`. With a `section` of its own, messages count from its start. */
  sub(offset: number, length: number, section?: string): ByteReader {
    const part = this.seek(offset).bytes(length);
    this.#position = offset;
    return section === undefined
      ? new ByteReader(part, this.byteOrder, this.section, this.#sectionOffset + offset)
      : new ByteReader(part, this.byteOrder, section);
  }

  /** The position that a {@link FormatError} about `offset` (in this reader) wants. */
  at(offset: number): { section: string; offset: number } {
    return { section: this.section, offset: this.#sectionOffset + offset };
  }

  #take(count: number): number {
    const start = this.#position;
    if (!Number.isSafeInteger(count) || count < 0 || count > this.length - start) {
      this.#refuse(start, count);
    }
    this.#position = start + count;
    return start;
  }

  #refuse(offset: number, wanted: number): never {
    const available = Math.max(0, this.length - offset);
    throw new FormatError('out-of-range', 'the bytes end too early', this.at(offset), {
      why: `wanted ${wanted} bytes, available ${available} of ${this.length}`,
    });
  }
}

/** Writes numbers and strings into a growing buffer, in a chosen byte order. */
export class ByteWriter {
  readonly byteOrder: ByteOrder;
  readonly #little: boolean;
  #bytes = new Uint8Array(256);
  #view = new DataView(this.#bytes.buffer);
  #length = 0;

  constructor(byteOrder: ByteOrder) {
    this.byteOrder = byteOrder;
    this.#little = byteOrder === 'little';
  }

  /** Bytes written so far: the offset of the next write. */
  get position(): number {
    return this.#length;
  }

  u8(value: number): this {
    const at = this.#grow(1);
    this.#view.setUint8(at, value);
    return this;
  }

  u16(value: number): this {
    const at = this.#grow(2);
    this.#view.setUint16(at, value, this.#little);
    return this;
  }

  u32(value: number): this {
    const at = this.#grow(4);
    this.#view.setUint32(at, value, this.#little);
    return this;
  }

  u64(value: bigint): this {
    const at = this.#grow(8);
    this.#view.setBigUint64(at, BigInt.asUintN(64, value), this.#little);
    return this;
  }

  bytes(values: Uint8Array | readonly number[]): this {
    const at = this.#grow(values.length);
    this.#bytes.set(values, at);
    return this;
  }

  /** UTF-8 and a NUL. */
  cstring(text: string): this {
    return this.bytes(new TextEncoder().encode(text)).u8(0);
  }

  /** Zeroes up to the next multiple of `alignment`. */
  align(alignment: number): this {
    return this.bytes(new Uint8Array((alignment - (this.#length % alignment)) % alignment));
  }

  /** Reads four bytes that were written before. */
  getU32(offset: number): number {
    return this.#view.getUint32(this.#written(offset), this.#little);
  }

  /** Overwrites four bytes that were written before. */
  setU32(offset: number, value: number): this {
    this.#view.setUint32(this.#written(offset), value, this.#little);
    return this;
  }

  /** A copy of what was written. */
  finish(): Uint8Array {
    return this.#bytes.slice(0, this.#length);
  }

  /** Refuses four bytes that were not written yet. */
  #written(offset: number): number {
    if (offset < 0 || offset + 4 > this.#length) {
      throw new FormatError('out-of-range', 'an offset outside of what was written', { section: 'writer', offset });
    }
    return offset;
  }

  #grow(count: number): number {
    const start = this.#length;
    this.#length += count;
    if (this.#length > this.#bytes.length) {
      const larger = new Uint8Array(Math.max(this.#length, this.#bytes.length * 2));
      larger.set(this.#bytes.subarray(0, start));
      this.#bytes = larger;
      this.#view = new DataView(larger.buffer);
    }
    return start;
  }
}

/** UTF-8 to text; a byte that is not UTF-8 becomes U+FFFD, since names and source lines may hold anything. */
export function decodeUtf8(bytes: Uint8Array): string {
  return decoder.decode(bytes);
}

// `ignoreBOM`: a byte order mark at the start of a string belongs to the string.
const decoder = new TextDecoder('utf-8', { ignoreBOM: true });
