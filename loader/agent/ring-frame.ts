import type { ConsumedRecords, SharedRing } from './connection.ts';

const CONSUMED_HEAD = 16;

/** A ring as CONSUME and PRODUCE carry it: four 64-bit numbers. */
export function encodeRing(ring: SharedRing): Uint8Array {
  const bytes = new Uint8Array(32);
  const view = new DataView(bytes.buffer);
  for (const [index, value] of [ring.consumer, ring.producer, ring.data, ring.size].entries()) {
    view.setBigUint64(8 * index, BigInt(value), true);
  }
  return bytes;
}

/** Reads a CONSUMED payload; null if it is too short for one. */
export function decodeConsumed(payload: Uint8Array): ConsumedRecords | null {
  if (payload.length < CONSUMED_HEAD) return null;
  const view = new DataView(payload.buffer, payload.byteOffset, payload.length);
  return { bytes: payload.subarray(CONSUMED_HEAD), needed: view.getUint32(8, true) };
}
