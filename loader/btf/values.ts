/** Values of C types: what they are in JavaScript, and the way from and to bytes. */
export { decodeValue } from './decode-value.ts';
export { encodeValue } from './encode-value.ts';
export type { BtfValue } from './value.ts';
