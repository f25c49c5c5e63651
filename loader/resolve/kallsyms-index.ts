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

/**
 * Checks each line and files it under a hash of its name, in one pass over the bytes: 10 MB, so that anything that is done for each byte or line in
 * vain shows. Stops at a malformed line.
 */
export function indexLines(text: Buffer): LineIndex {
  const end = text.length;
  const most = Math.ceil(end / SHORTEST_LINE) + 1;
  const starts = new Uint32Array(most);
  const hashes = new Int32Array(most);
  let count = 0;
  let zeroes = 0;
  let malformed = -1;
  for (let start = 0; start < end; ) {
    let at = start;
    let digits = 0;
    while (HEX[text[at] ?? 0] === 1) {
      digits |= (text[at] ?? 0) ^ ZERO;
      at += 1;
    }
    const length = at - start;
    let isWell = length > 0 && length <= 16 && text[at] === SPACE && text[at + 2] === SPACE;
    const name = at + 3;
    at = name;
    let hash = FNV_START;
    let isBase = true;
    let byte = at < end ? (text[at] ?? 0) : NEWLINE;
    // Anything above a space is part of the name; TAB, newline, NUL and the space itself are below.
    while (byte > SPACE || (byte !== NEWLINE && byte !== TAB && byte !== SPACE && byte !== 0)) {
      if (byte === DOT) isBase = false;
      if (isBase) hash = Math.imul(hash ^ byte, FNV_PRIME);
      at += 1;
      byte = at < end ? (text[at] ?? 0) : NEWLINE;
    }
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
    if (digits === 0) zeroes += 1;
    starts[count] = start;
    hashes[count] = hash;
    count += 1;
    start = at + 1;
  }
  return { count, zeroes, malformed, candidates: lookup(starts.subarray(0, count), hashes) };
}

const FNV_START = 0x811c9dc5 | 0;
const FNV_PRIME = 0x01000193;

/** 1 for what is a digit of a hexadecimal number. */
const HEX = Uint8Array.from({ length: 256 }, (_, byte) => (/[0-9a-fA-F]/.test(String.fromCharCode(byte)) ? 1 : 0));

/** Whether `[NAME]` stands there, without blanks. */
function isModule(text: Buffer, start: number, end: number): boolean {
  if (end - start < 2 || text[start] !== OPENING || text[end - 1] !== CLOSING) return false;
  for (let at = start; at < end; at++) {
    const byte = text[at];
    if (byte === SPACE || byte === TAB || byte === 0) return false;
  }
  return true;
}

/** A hash table, made when the first name is asked for. */
function lookup(starts: Uint32Array, hashes: Int32Array): LineIndex['candidates'] {
  let table: { readonly first: Int32Array; readonly next: Int32Array; readonly mask: number } | undefined;
  return (name) => {
    table ??= makeTable(starts.length, hashes);
    let hash = FNV_START;
    for (const byte of name) {
      if (byte === DOT) break;
      hash = Math.imul(hash ^ byte, FNV_PRIME);
    }
    const found: number[] = [];
    for (let line = table.first[hash & table.mask] ?? -1; line !== -1; line = table.next[line] ?? -1) {
      if (hashes[line] === hash) found.push(starts[line] ?? 0);
    }
    return found;
  };
}

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
