import type { ByteOrder } from '../bytes.ts';

/** The bytes as numbers of 32 bits; a copy unless they lie well and in the host's order. Up to three bytes at the end are left out. */
export function wordsOf(bytes: Uint8Array, byteOrder: ByteOrder): Uint32Array {
  const length = bytes.length & ~3;
  const swapped = byteOrder !== HOST_BYTE_ORDER;
  // Not `slice`, which is no copy if this is a Buffer.
  const { buffer, byteOffset } =
    swapped || bytes.byteOffset % 4 !== 0 ? new Uint8Array(bytes.subarray(0, length)) : bytes;
  if (swapped) Buffer.from(buffer, byteOffset, length).swap32();
  return new Uint32Array(buffer, byteOffset, length / 4);
}

const HOST_BYTE_ORDER: ByteOrder = new Uint8Array(Uint16Array.of(1).buffer)[0] === 1 ? 'little' : 'big';
