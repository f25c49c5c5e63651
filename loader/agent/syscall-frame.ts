import { AgentError } from './agent-error.ts';
import type { SyscallBuffer, SyscallRequest, SyscallResult } from './connection.ts';

const FIXED_SIZE = 64;
const ALIGNMENT = 16;
const MAX_ARGUMENTS = 6;
const DIRECTIONS = { in: 1, out: 2, inout: 3 } as const;

/** A system call as the payload of a SYSCALL frame, and the buffers in the order that the answer follows. */
export interface EncodedSyscall {
  readonly payload: Uint8Array;
  readonly buffers: readonly SyscallBuffer[];
}

/**
 * Lays out a system call for the agent: every buffer that an argument or another buffer's pointer reaches is sent once,
 * however often it is pointed to. Throws AgentError `agent-refused` for more than six arguments.
 */
export function encodeSyscall(request: SyscallRequest): EncodedSyscall {
  const buffers = reachableBuffers(request);
  const indexes = new Map(buffers.map((buffer, index) => [buffer, index]));
  const pointers = buffers.flatMap((buffer) => (buffer.pointers ?? []).map((pointer) => ({ buffer, ...pointer })));
  const input = buffers.filter((buffer) => buffer.direction !== 'out');
  const tables = FIXED_SIZE + 8 * buffers.length + 16 * pointers.length;
  const payload = new Uint8Array(input.reduce((size, buffer) => size + buffer.bytes.length, tables));
  const view = new DataView(payload.buffer);
  const indexOf = (buffer: SyscallBuffer): number => indexes.get(buffer) ?? 0;

  if (request.args.length > MAX_ARGUMENTS)
    throw new AgentError('agent-refused', 'a system call has at most six arguments');
  view.setUint32(0, request.number, true);
  view.setUint32(4, buffers.length, true);
  view.setUint32(8, pointers.length, true);
  let mask = 0;
  for (const [index, arg] of request.args.entries()) {
    if (typeof arg === 'object') mask |= 1 << index;
    view.setBigUint64(16 + 8 * index, BigInt.asUintN(64, BigInt(typeof arg === 'object' ? indexOf(arg) : arg)), true);
  }
  view.setUint32(12, mask, true);
  let at = FIXED_SIZE;
  for (const { bytes, direction } of buffers) {
    view.setUint32(at, bytes.length, true);
    view.setUint32(at + 4, DIRECTIONS[direction], true);
    at += 8;
  }
  for (const { buffer, offset, to, at: targetOffset = 0 } of pointers) {
    view.setUint32(at, indexOf(buffer), true);
    view.setUint32(at + 4, offset, true);
    view.setUint32(at + 8, indexOf(to), true);
    view.setUint32(at + 12, targetOffset, true);
    at += 16;
  }
  for (const { bytes } of input) {
    payload.set(bytes, at);
    at += bytes.length;
  }
  return { payload, buffers };
}

/** Reads a SYSCALL_RESULT and copies what came back into the buffers; null if the payload's length does not fit them. */
export function decodeSyscallResult(payload: Uint8Array, buffers: readonly SyscallBuffer[]): SyscallResult | null {
  const output = buffers.filter((buffer) => buffer.direction !== 'in');
  const expected = output.reduce((size, buffer) => size + padded(buffer.bytes.length), 16);
  if (payload.length !== expected) return null;
  const view = new DataView(payload.buffer, payload.byteOffset, payload.length);
  let at = 16;
  for (const { bytes } of output) {
    bytes.set(payload.subarray(at, at + bytes.length));
    at += padded(bytes.length);
  }
  return { value: Number(view.getBigInt64(0, true)), errno: view.getUint32(8, true) };
}

function reachableBuffers(request: SyscallRequest): SyscallBuffer[] {
  const found = new Set<SyscallBuffer>();
  const visit = (buffer: SyscallBuffer): void => {
    if (found.has(buffer)) return;
    found.add(buffer);
    for (const { to } of buffer.pointers ?? []) visit(to);
  };
  for (const arg of request.args) if (typeof arg === 'object') visit(arg);
  return [...found];
}

function padded(length: number): number {
  return Math.ceil(length / ALIGNMENT) * ALIGNMENT;
}
