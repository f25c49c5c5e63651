import type { AgentConnection, SyscallBuffer } from '../agent/connection.ts';
import { AttrWriter, input, type Pointer } from '../syscall/attr.ts';
import { BpfCommand, bpf } from '../syscall/bpf.ts';

/** A map's descriptor, and where it is one. */
export interface MapHandle {
  readonly agent: AgentConnection;
  readonly fd: number;
}

/**
 * BPF_MAP_{LOOKUP,UPDATE,DELETE,LOOKUP_AND_DELETE}_ELEM and BPF_MAP_GET_NEXT_KEY: fd, padding, key, value or next key, flags. Returns the errno, 0 for success.
 * Throws AgentError.
 */
export async function callElement(
  { agent, fd }: MapHandle,
  command: number,
  key: Uint8Array | null,
  value: Pointer,
  flags = 0,
): Promise<number> {
  const attr = new AttrWriter()
    .u32(fd)
    .u32(0)
    .pointer(key === null ? null : input(key))
    .pointer(value)
    .u64(BigInt(flags));
  return (await bpf(agent, command, attr.finish())).errno;
}

/** What a batch command works on. */
export interface BatchRequest {
  /** Where a lookup goes on; null: at the start. */
  readonly from?: SyscallBuffer | null;
  /** Where the kernel says where to go on. */
  readonly next?: SyscallBuffer | null;
  readonly keys: SyscallBuffer;
  readonly values: SyscallBuffer | null;
  /** Elements that there is room for, or that are given. */
  readonly count: number;
  /** BPF_ANY, BPF_NOEXIST, BPF_EXIST, BPF_F_LOCK for each element. */
  readonly flags?: number;
}

/** BPF_MAP_{LOOKUP,LOOKUP_AND_DELETE,UPDATE,DELETE}_BATCH (Linux 5.6): the errno, and how many elements it was done for. Throws AgentError. */
export async function callBatch(
  { agent, fd }: MapHandle,
  command: number,
  request: BatchRequest,
): Promise<{ readonly errno: number; readonly count: number }> {
  const attr = new AttrWriter()
    .pointer(request.from ?? null)
    .pointer(request.next ?? null)
    .pointer(request.keys)
    .pointer(request.values)
    .u32(request.count)
    .u32(fd)
    .u64(BigInt(request.flags ?? 0))
    .finish();
  const { errno } = await bpf(agent, command, attr);
  return { errno, count: new DataView(attr.bytes.buffer, attr.bytes.byteOffset).getUint32(32, true) };
}

/** The command of each batch operation, for {@link callBatch}. */
export const BatchCommand = {
  lookup: BpfCommand.mapLookupBatch,
  lookupAndDelete: BpfCommand.mapLookupAndDeleteBatch,
  update: BpfCommand.mapUpdateBatch,
  delete: BpfCommand.mapDeleteBatch,
} as const;
