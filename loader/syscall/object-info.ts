import type { AgentConnection, SyscallBuffer } from '../agent/connection.ts';
import { describeErrno, errnoName } from '../agent/errno.ts';
import { ExplainedError } from '../errors.ts';
import { AttrWriter } from './attr.ts';
import { BpfCommand, bpf } from './bpf.ts';

/** Where in an info structure there is a pointer, and the room that it is to point to. */
export interface InfoPointer {
  readonly offset: number;
  readonly to: SyscallBuffer;
}

/** What BPF_OBJ_GET_INFO_BY_FD answered: a structure of which the kernel filled as much as it knows. Little-endian. */
export class ObjectInfo {
  /** Bytes that the kernel knows; those after them stay zero. */
  readonly length: number;
  readonly bytes: Uint8Array;
  readonly #view: DataView;

  constructor(bytes: Uint8Array, length: number) {
    this.bytes = bytes;
    this.length = length;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  }

  /** Whether the kernel knows a field of `size` bytes at `offset`. */
  has(offset: number, size = 4): boolean {
    return offset + size <= this.length;
  }

  u32(offset: number): number {
    return this.#view.getUint32(offset, true);
  }

  u64(offset: number): bigint {
    return this.#view.getBigUint64(offset, true);
  }

  /** Text of at most `size` bytes, up to the first zero. */
  text(offset: number, size: number): string {
    return textOf(this.bytes.subarray(offset, offset + size));
  }

  /** A field that older kernels lack: null there. */
  u32OrNull(offset: number): number | null {
    return this.has(offset) ? this.u32(offset) : null;
  }

  /** A field that older kernels lack: null there. */
  u64OrNull(offset: number): bigint | null {
    return this.has(offset, 8) ? this.u64(offset) : null;
  }
}

/**
 * Asks what a program, map, BTF or link is (BPF_OBJ_GET_INFO_BY_FD). `size` is that of the newest structure known here: older kernels take it, as long as what they do
 * not know is zero (bpf_check_uarg_tail_zero, kernel/bpf/syscall.c), and answer how much they filled in. `fill` writes what the kernel is to read.
 * @throws ExplainedError `object-info-failed`; AgentError.
 */
export async function objectInfo(
  agent: AgentConnection,
  fd: number,
  size: number,
  pointers: readonly InfoPointer[] = [],
  fill: (info: DataView) => void = () => undefined,
): Promise<ObjectInfo> {
  const bytes = new Uint8Array(size);
  fill(new DataView(bytes.buffer));
  const attr = new AttrWriter().u32(fd).u32(size).pointer({ bytes, direction: 'inout', pointers }).finish();
  const { errno } = await bpf(agent, BpfCommand.getInfoByFd, attr);
  if (errno !== 0) {
    throw new ExplainedError('object-info-failed', 'the kernel does not tell what this is', {
      where: `descriptor ${fd}`,
      why: describeErrno(errno),
      ...(errnoName(errno) === 'EINVAL' ? { fix: 'it may be no program, map, BTF or link' } : {}),
    });
  }
  return new ObjectInfo(bytes, Math.min(size, new DataView(attr.bytes.buffer).getUint32(4, true)));
}

/** Text up to the first zero byte. */
export function textOf(bytes: Uint8Array): string {
  const end = bytes.indexOf(0);
  return new TextDecoder().decode(end === -1 ? bytes : bytes.subarray(0, end));
}
