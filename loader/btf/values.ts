import { ExplainedError } from '../errors.ts';
import type { Btf } from './btf.ts';
import type { TypeId } from './types.ts';

/**
 * A value of a C type in JavaScript: integers and enumerations up to 32 bits are numbers, wider ones and pointers bigints; `_Bool` a boolean;
 * arrays of `char` strings up to their zero byte; other arrays arrays; structs and unions objects by member.
 */
export type BtfValue =
  | number
  | bigint
  | boolean
  | string
  | readonly BtfValue[]
  | { readonly [member: string]: BtfValue };

/** Reads a value of the type from bytes in the BTF's byte order. Throws ExplainedError `btf-value-size`, `btf-value-type`. */
export function decodeValue(btf: Btf, id: TypeId, bytes: Uint8Array): BtfValue {
  const type = btf.resolve(id);
  const size = btf.sizeOf(id);
  const little = btf.byteOrder === 'little';
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  if (type.kind === 'int' && size === 4) return view.getInt32(0, little);
  throw new ExplainedError('btf-value-type', `a value of type ${type.kind} cannot be read`);
}

/** Lays a value of the type out in bytes, in the BTF's byte order. Throws ExplainedError `btf-value-type`, `btf-value-range`. */
export function encodeValue(btf: Btf, id: TypeId, value: BtfValue): Uint8Array {
  const type = btf.resolve(id);
  const bytes = new Uint8Array(btf.sizeOf(id));
  if (type.kind !== 'int' || typeof value !== 'number') {
    throw new ExplainedError('btf-value-type', `a value of type ${type.kind} cannot be written`);
  }
  new DataView(bytes.buffer).setInt32(0, value, btf.byteOrder === 'little');
  return bytes;
}
