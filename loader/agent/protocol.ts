/** The agent's protocol: PROTOCOL.md describes it, protocol.h is its other half. */
export const PROTOCOL_VERSION = 2;
/** The bytes `KSYM`. */
export const MAGIC = 0x4d59534b;
/** Bytes of a frame before its payload. */
export const HEADER_SIZE = 16;
/** Longest payload, in bytes, that this side believes a header about. */
export const MAX_FRAME = 64 << 20;

/** Frame types; answers have the highest bit set. */
export const FrameType = {
  hello: 1,
  syscall: 2,
  readFile: 3,
  execute: 4,
  powerOff: 5,
  goodbye: 6,
  input: 7,
  consume: 8,
  produce: 9,
  welcome: 0x8001,
  syscallResult: 0x8002,
  data: 0x8003,
  output: 0x8004,
  exit: 0x8005,
  done: 0x8006,
  error: 0x8007,
  consumed: 0x8008,
} as const;

/** Flags of an EXECUTE request. */
export const ExecuteFlag = { environment: 1, directory: 2, moreInput: 4 } as const;

/** Longest payload of an INPUT frame, in bytes. */
export const MAX_INPUT = 64 << 10;

/** Flags of answers. */
export const FrameFlag = { more: 1, stderr: 2 } as const;

/** What a CONSUME request reads. */
export const RingKind = { bpf: 0, perf: 1 } as const;

/** Codes of ERROR frames. */
export const ErrorCode = {
  badMagic: 1,
  frameTooLong: 2,
  version: 3,
  helloRequired: 4,
  unknownType: 5,
  malformed: 6,
  bufferIndex: 7,
  pointer: 8,
  string: 9,
  noMemory: 10,
  refused: 11,
} as const;

/** What a DONE frame's errno is about, by stage. */
export const DONE_STAGES = ['end', 'limit', 'open', 'read', 'start', 'change directory', 'execute'] as const;

/** A frame as it came off the stream. */
export interface Frame {
  readonly id: number;
  readonly type: number;
  readonly flags: number;
  readonly payload: Uint8Array;
}

/** Puts the header before a payload. */
export function encodeFrame(type: number, id: number, payload: Uint8Array = new Uint8Array(), flags = 0): Uint8Array {
  const frame = new Uint8Array(HEADER_SIZE + payload.length);
  const view = new DataView(frame.buffer);
  view.setUint32(0, MAGIC, true);
  view.setUint32(4, payload.length, true);
  view.setUint32(8, id, true);
  view.setUint16(12, type, true);
  view.setUint16(14, flags, true);
  frame.set(payload, HEADER_SIZE);
  return frame;
}

/** Integers one after another, little-endian, 32 bits each. */
export function encodeU32(...values: readonly number[]): Uint8Array {
  const bytes = new Uint8Array(4 * values.length);
  const view = new DataView(bytes.buffer);
  for (const [index, value] of values.entries()) view.setUint32(4 * index, value, true);
  return bytes;
}

/** Strings one after another in UTF-8, each ended by a zero byte. */
export function encodeStrings(strings: readonly string[]): Uint8Array {
  return new TextEncoder().encode(strings.map((string) => `${string}\0`).join(''));
}

/** Cuts a stream of bytes into frames. Chunks are joined only when a frame is complete, so long frames cost no more than their length. */
export class FrameReader {
  #chunks: Uint8Array[] = [];
  #length = 0;

  /** Takes a chunk and returns the frames it completes; null if the bytes are no frame, after which the stream is lost. */
  push(chunk: Uint8Array): Frame[] | null {
    this.#chunks.push(chunk);
    this.#length += chunk.length;
    const frames: Frame[] = [];
    for (;;) {
      if (this.#length < HEADER_SIZE) return frames;
      const header = this.#peek(HEADER_SIZE);
      const view = new DataView(header.buffer, header.byteOffset, HEADER_SIZE);
      const length = view.getUint32(4, true);
      if (view.getUint32(0, true) !== MAGIC || length > MAX_FRAME) return null;
      if (this.#length < HEADER_SIZE + length) return frames;
      const bytes = this.#take(HEADER_SIZE + length);
      frames.push({
        id: view.getUint32(8, true),
        type: view.getUint16(12, true),
        flags: view.getUint16(14, true),
        payload: bytes.subarray(HEADER_SIZE),
      });
    }
  }

  #peek(length: number): Uint8Array {
    const first = this.#chunks[0];
    if (first !== undefined && first.length >= length) return first;
    const all = Buffer.concat(this.#chunks);
    this.#chunks = [all];
    return all;
  }

  #take(length: number): Uint8Array {
    const all = this.#chunks.length === 1 ? this.#peek(length) : Buffer.concat(this.#chunks);
    this.#chunks = all.length > length ? [all.subarray(length)] : [];
    this.#length -= length;
    return all.subarray(0, length);
  }
}
