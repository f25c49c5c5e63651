import type { Field } from './fields.ts';

/**
 * One change to a seed, as plain numbers, so that fast-check can make it, make it smaller, and write it down. `where` and `what` stand for
 * nothing by themselves: the operation takes them modulo what there is.
 */
export interface Mutation {
  readonly operation: Operation;
  readonly where: number;
  readonly what: number;
}

/** What a mutation does. Those on fields know where the format has a size, an offset, a count or an id. */
export const OPERATIONS = [
  'flip-bit',
  'set-byte',
  'limit-in-field',
  'limit-in-field',
  'copy-field',
  'step-field',
  'step-field',
  'truncate',
  'delete',
  'repeat',
  'splice',
  'insert',
  'swap-words',
] as const;

export type Operation = (typeof OPERATIONS)[number];

/** What the mutations of an input may draw upon. */
export interface MutationSource {
  readonly bytes: Uint8Array;
  /** Numbers in {@link MutationSource.bytes} that mean something; not changed by insertions, so that later ones may be off. */
  readonly fields: readonly Field[];
  /** Other seeds, parts of which are spliced in. */
  readonly donors: readonly Uint8Array[];
  /** Pieces that this kind of input is made of. */
  readonly words: readonly Uint8Array[];
}

/** An input may grow to the seed's size and this many bytes. */
export const MOST_GROWTH = 64 * 1024;

/** The seed's bytes after all mutations, one after the other. The seed stays as it is. */
export function mutate(source: MutationSource, mutations: readonly Mutation[]): Uint8Array {
  let bytes: Uint8Array = source.bytes.slice();
  for (const mutation of mutations) {
    if (bytes.length > 0) bytes = apply(bytes, source, mutation);
  }
  return bytes.length > source.bytes.length + MOST_GROWTH ? bytes.slice(0, source.bytes.length + MOST_GROWTH) : bytes;
}

function apply(bytes: Uint8Array, source: MutationSource, { operation, where, what }: Mutation): Uint8Array {
  const at = where % bytes.length;
  const length = Math.min(1 + (what % 256), bytes.length - at);
  switch (operation) {
    case 'flip-bit':
      bytes[at] = (bytes[at] ?? 0) ^ (1 << (what & 7));
      return bytes;
    case 'set-byte':
      bytes[at] = what & 0xff;
      return bytes;
    case 'limit-in-field':
      return changeField(bytes, source, where, (old) => limitValue(what, old, bytes.length));
    case 'copy-field': {
      const other = source.fields[what % Math.max(1, source.fields.length)];
      return changeField(bytes, source, where, (old) => (other === undefined ? old : readField(bytes, other)));
    }
    case 'step-field':
      return changeField(bytes, source, where, (old) => old + BigInt((what % 33) - 16));
    case 'truncate':
      return bytes.slice(0, at);
    case 'delete':
      return join([bytes.subarray(0, at), bytes.subarray(at + length)]);
    case 'repeat': {
      const chunk = bytes.subarray(at, at + length);
      const copies = new Array<Uint8Array>(1 + ((what >>> 8) % 64)).fill(chunk);
      return join([bytes.subarray(0, at), ...copies, bytes.subarray(at)]);
    }
    case 'splice': {
      const donor = source.donors[what % Math.max(1, source.donors.length)] ?? bytes;
      const start = (what >>> 8) % Math.max(1, donor.length);
      bytes.set(donor.slice(start, start + Math.min(1 + (what % 512), bytes.length - at)), at);
      return bytes;
    }
    case 'insert': {
      const word = source.words[what % Math.max(1, source.words.length)] ?? new Uint8Array(1 + (what % 16)).fill(what);
      return join([bytes.subarray(0, at), word, bytes.subarray(at)]);
    }
    case 'swap-words': {
      const other = what % bytes.length;
      for (let index = 0; index < 4; index++) {
        const left = bytes[at + index];
        const right = bytes[other + index];
        if (left === undefined || right === undefined) break;
        bytes[at + index] = right;
        bytes[other + index] = left;
      }
      return bytes;
    }
  }
}

/** Numbers at which arithmetic, signs and table ends turn. */
function limitValue(what: number, old: bigint, size: number): bigint {
  const limits = [0n, 1n, 2n, 0x7fn, 0xffn, 0x7fffn, 0xffffn, 0xff00n, 0xffffffn, 0x7fffffffn, 0x80000000n];
  const wide = [0xffffffffn, 0xfffffffen, 1n << 53n, (1n << 63n) - 1n, (1n << 64n) - 1n, 0xfffff000n];
  const near = [BigInt(size), BigInt(size) - 1n, BigInt(size) + 1n, old * 2n, old / 2n, -old, ~old, old << 8n];
  const all = [...limits, ...wide, ...near];
  return all[what % all.length] ?? 0n;
}

function changeField(
  bytes: Uint8Array,
  { fields }: MutationSource,
  where: number,
  change: (old: bigint) => bigint,
): Uint8Array {
  const field = fields[where % Math.max(1, fields.length)];
  if (field === undefined) {
    const at = where % bytes.length;
    bytes[at] = Number(BigInt.asUintN(8, change(BigInt(bytes[at] ?? 0))));
  } else if (field.offset + field.width <= bytes.length) {
    writeField(bytes, field, change(readField(bytes, field)));
  }
  return bytes;
}

function readField(bytes: Uint8Array, { offset, width, littleEndian }: Field): bigint {
  let value = 0n;
  for (let index = 0; index < width; index++) {
    const at = littleEndian ? offset + width - 1 - index : offset + index;
    value = (value << 8n) | BigInt(bytes[at] ?? 0);
  }
  return value;
}

function writeField(bytes: Uint8Array, { offset, width, littleEndian }: Field, value: bigint): void {
  let rest = BigInt.asUintN(width * 8, value);
  for (let index = 0; index < width; index++) {
    bytes[littleEndian ? offset + index : offset + width - 1 - index] = Number(rest & 0xffn);
    rest >>= 8n;
  }
}

function join(parts: readonly Uint8Array[]): Uint8Array {
  return new Uint8Array(Buffer.concat(parts));
}
