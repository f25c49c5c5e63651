import type { Buffer } from 'node:buffer';

/** Where the lines of `/proc/kallsyms` start, and which of them may have a name. */
export interface LineIndex {
  readonly count: number;
  /** Lines whose address is zero. */
  readonly zeroes: number;
  /** Where the first line of another form than `ADDRESS LETTER NAME[\t[MODULE]]` starts; -1 if all are well-formed. */
  readonly malformed: number;
  /** Starts of the lines whose names may be this one or this one with a suffix behind a dot, in file order. */
  readonly candidates: (name: Uint8Array) => number[];
}

const NEWLINE = 0x0a;
const TAB = 0x09;
const SPACE = 0x20;
const DOT = 0x2e;
const ZERO = 0x30;
const OPENING = 0x5b;
const CLOSING = 0x5d;

/** Bytes of the shortest line, `0 T a`, and its end. */
const SHORTEST_LINE = 6;

/** Bytes that a line takes on average, less some: 49 on x86-64. */
const USUAL_LINE = 32;

/**
 * Checks each line and files it under a hash of its name, in one pass over the bytes: 10 MB, so that anything that is done for each byte or line in
 * vain shows. Stops at a malformed line.
 */
export function indexLines(text: Buffer): LineIndex {
  const end = text.length;
  let room = Math.ceil(end / USUAL_LINE) + 1;
  let starts = new Uint32Array(room);
  let hashes = new Int32Array(room);
  let count = 0;
  let zeroes = 0;
  let malformed = -1;
  for (let start = 0; start < end; ) {
    if (count === room) {
      room = Math.ceil(end / SHORTEST_LINE) + 1;
      [starts, hashes] = [enlarge(starts, new Uint32Array(room)), enlarge(hashes, new Int32Array(room))];
    }
    let at = endOfDigits(text, start);
    const length = at - start;
    let isWell = length > 0 && length <= 16 && text[at] === SPACE && text[at + 2] === SPACE;
    const name = at + 3;
    at = readName(text, name, hashes, count);
    const byte = at < end ? text[at] : NEWLINE;
    isWell = isWell && at > name && (byte === NEWLINE ? text[at - 1] !== CLOSING : byte === TAB);
    if (isWell && byte === TAB) {
      const newline = text.indexOf(NEWLINE, at);
      const lineEnd = newline === -1 ? end : newline;
      isWell = isModule(text, at + 1, lineEnd);
      at = lineEnd;
    }
    if (!isWell) {
      malformed = start;
      break;
    }
    if (text[start] === ZERO && isZero(text, start, length)) zeroes += 1;
    starts[count] = start;
    count += 1;
    start = at + 1;
  }
  return { count, zeroes, malformed, candidates: lookup(starts.subarray(0, count), hashes.subarray(0, count)) };
}

function enlarge<T extends Uint32Array | Int32Array>(from: T, to: T): T {
  to.set(from);
  return to;
}

// The two loops over bytes are functions of their own, small enough to be compiled while the first lines are read.

/** Where the number ends that starts there. */
function endOfDigits(text: Buffer, start: number): number {
  let at = start;
  while (HEX[text[at] ?? 0] === 1) at += 1;
  return at;
}

/** Where the name ends that starts there; its hash goes into `hashes`. */
function readName(text: Buffer, start: number, hashes: Int32Array, line: number): number {
  let at = start;
  let hash = FNV_START;
  let byte = text[at] ?? 0;
  // Most bytes of names are above the dot, and what ends them is below.
  while (byte > DOT) {
    hash = Math.imul(hash ^ byte, FNV_PRIME);
    at += 1;
    byte = text[at] ?? 0;
  }
  if (ENDS[byte] === 0) {
    while (ENDS[text[at] ?? 0] === 0) at += 1;
    hash = hashOf(text, start, at);
  }
  hashes[line] = hash;
  return at;
}

function isZero(text: Buffer, start: number, length: number): boolean {
  for (let at = start; at < start + length; at++) {
    if (text[at] !== ZERO) return false;
  }
  return true;
}

/** Of what precedes the first dot. */
function hashOf(bytes: Uint8Array, start: number, end: number): number {
  let hash = FNV_START;
  for (let at = start; at < end; at++) {
    const byte = bytes[at] ?? 0;
    if (byte === DOT) break;
    hash = Math.imul(hash ^ byte, FNV_PRIME);
  }
  return hash;
}

const FNV_START = 0x811c9dc5 | 0;
const FNV_PRIME = 0x01000193;

/** 1 for what is a digit of a hexadecimal number. */
const HEX = Uint8Array.from({ length: 256 }, (_, byte) => (/[0-9a-fA-F]/.test(String.fromCharCode(byte)) ? 1 : 0));

/** 1 for what ends a name. */
const ENDS = Uint8Array.from({ length: 256 }, (_, byte) =>
  byte === NEWLINE || byte === TAB || byte === SPACE || byte === 0 ? 1 : 0,
);

/** Whether `[NAME]` stands there, without blanks. */
function isModule(text: Buffer, start: number, end: number): boolean {
  if (end - start < 2 || text[start] !== OPENING || text[end - 1] !== CLOSING) return false;
  for (let at = start; at < end; at++) {
    const byte = text[at];
    if (byte === SPACE || byte === TAB || byte === 0) return false;
  }
  return true;
}

/** The first names are looked for in the list of hashes, which takes a tenth of a millisecond each; who goes on asking gets a hash table. */
function lookup(starts: Uint32Array, hashes: Int32Array): LineIndex['candidates'] {
  let table: { readonly first: Int32Array; readonly next: Int32Array; readonly mask: number } | undefined;
  let searches = 0;
  return (name) => {
    const hash = hashOf(name, 0, name.length);
    const found: number[] = [];
    if (searches < MOST_SEARCHES) {
      searches += 1;
      for (let line = hashes.indexOf(hash); line !== -1; line = hashes.indexOf(hash, line + 1)) {
        found.push(starts[line] ?? 0);
      }
      return found;
    }
    table ??= makeTable(starts.length, hashes);
    for (let line = table.first[hash & table.mask] ?? -1; line !== -1; line = table.next[line] ?? -1) {
      if (hashes[line] === hash) found.push(starts[line] ?? 0);
    }
    return found;
  };
}

/** The table takes as long as some fifty searches. */
const MOST_SEARCHES = 32;

/** Backwards, so that the lines of a bucket ascend. */
function makeTable(count: number, hashes: Int32Array) {
  const mask = 2 ** Math.ceil(Math.log2(count + 1)) - 1;
  const first = new Int32Array(mask + 1).fill(-1);
  const next = new Int32Array(count);
  for (let line = count - 1; line >= 0; line--) {
    const bucket = (hashes[line] ?? 0) & mask;
    next[line] = first[bucket] ?? -1;
    first[bucket] = line;
  }
  return { first, next, mask };
}
