import type { AgentConnection, SyscallBuffer } from '../agent/connection.ts';
import { output } from '../syscall/attr.ts';
import { type InfoPointer, type ObjectInfo, objectInfo } from '../syscall/object-info.ts';

/** A program as the kernel describes it (`struct bpf_prog_info`, include/uapi/linux/bpf.h). Fields that an older kernel lacks are null. */
export interface ProgramInfo {
  /** `enum bpf_prog_type`. */
  readonly type: number;
  readonly id: number;
  /** At most 15 bytes of it. */
  readonly name: string;
  /** Digest of the instructions, 16 hexadecimal digits. */
  readonly tag: string;
  /** Nanoseconds from the boot to its load. */
  readonly loadedAtNs: bigint;
  /** Who loaded it. */
  readonly userId: number;
  readonly gplCompatible: boolean;
  /** The network interface that it was offloaded to; 0 if none. */
  readonly interfaceIndex: number;
  /** Ids of the maps that it uses. */
  readonly mapIds: readonly number[];
  /**
   * Its instructions as the verifier rewrote them: `call` of a helper holds the distance to its address, a map's load its id (bpf_insn_prepare_dump). Null if
   * the kernel keeps them to itself: without CAP_BPF, or blinded and `kptr_restrict` set.
   */
  readonly instructions: Uint8Array | null;
  /** Bytes of machine code of all functions; 0 without JIT. */
  readonly jitedSize: number;
  /** Addresses of the functions' machine code; null where the kernel hides addresses. */
  readonly functionAddresses: readonly bigint[] | null;
  /** The BTF object with the types of its functions; 0 if none. */
  readonly btfId: number;
  /** Functions by first slot in {@link ProgramInfo.instructions}, with their FUNC in that BTF. */
  readonly functions: readonly { readonly slot: number; readonly typeId: number }[];
  /** Source lines by slot; offsets are those of strings in that BTF. */
  readonly lines: readonly ProgramInfoLine[];
  /** Nanoseconds that it ran and how often, counted while `kernel.bpf_stats_enabled` is set. */
  readonly runTimeNs: bigint;
  readonly runCount: bigint;
  /** Times it was not run because it was running. Linux 5.12. */
  readonly recursionMisses: bigint | null;
  /** Instructions that the verifier walked through. Linux 5.16. */
  readonly verifiedInstructions: number | null;
  /** What it attaches to: a type of a BTF object, 0 if nothing. Linux 5.18. */
  readonly attachBtfObjectId: number | null;
  readonly attachBtfId: number | null;
}

/** `struct bpf_line_info` with its last field taken apart. */
export interface ProgramInfoLine {
  readonly slot: number;
  readonly fileNameOffset: number;
  readonly sourceOffset: number;
  readonly line: number;
  readonly column: number;
}

const INFO_SIZE = 232;
/** Offsets of what is asked for: counts or sizes in the first answer, pointers in the second question. */
const Field = {
  xlatedSize: 20,
  xlated: 32,
  mapCount: 52,
  mapIds: 56,
  addressCount: 104,
  addresses: 112,
  functionRecord: 132,
  functions: 136,
  functionCount: 144,
  lineCount: 148,
  lines: 152,
  lineRecord: 172,
} as const;

/** What a program is, with its instructions as the kernel runs them. Throws ExplainedError `object-info-failed`, AgentError. */
export async function programInfo(agent: AgentConnection, fd: number): Promise<ProgramInfo> {
  const sizes = await objectInfo(agent, fd, INFO_SIZE);
  const parts: InfoPointer[] = [];
  const counts: [offset: number, value: number][] = [];
  const ask = (countAt: number, pointerAt: number, size: number): SyscallBuffer => {
    const buffer = output(sizes.u32(countAt) * size);
    if (buffer.bytes.length === 0) return buffer;
    parts.push({ offset: pointerAt, to: buffer });
    counts.push([countAt, sizes.u32(countAt)]);
    return buffer;
  };
  // Records have the kernel's own size, which it tells in its first answer (set_info_rec_size).
  const functionRecord = sizes.u32(Field.functionRecord);
  const lineRecord = sizes.u32(Field.lineRecord);
  const instructions = ask(Field.xlatedSize, Field.xlated, 1);
  const mapIds = ask(Field.mapCount, Field.mapIds, 4);
  const addresses = ask(Field.addressCount, Field.addresses, 8);
  const functions = ask(Field.functionCount, Field.functions, functionRecord);
  const lines = ask(Field.lineCount, Field.lines, lineRecord);
  const info = await objectInfo(agent, fd, INFO_SIZE, parts, (view) => {
    for (const [offset, value] of counts) view.setUint32(offset, value, true);
    if (functions.bytes.length > 0) view.setUint32(Field.functionRecord, functionRecord, true);
    if (lines.bytes.length > 0) view.setUint32(Field.lineRecord, lineRecord, true);
  });
  return {
    ...plainFields(info),
    mapIds: words(mapIds.bytes),
    instructions: given(info, Field.xlated, instructions),
    functionAddresses: numbers(given(info, Field.addresses, addresses)),
    functions: records(functions.bytes, functionRecord, (view, at) => ({
      slot: view.getUint32(at, true),
      typeId: view.getUint32(at + 4, true),
    })),
    lines: records(lines.bytes, lineRecord, readLine),
  };
}

function plainFields(
  info: ObjectInfo,
): Omit<ProgramInfo, 'mapIds' | 'instructions' | 'functionAddresses' | 'functions' | 'lines'> {
  return {
    type: info.u32(0),
    id: info.u32(4),
    name: info.text(64, 16),
    tag: Buffer.from(info.bytes.subarray(8, 16)).toString('hex'),
    loadedAtNs: info.u64(40),
    userId: info.u32(48),
    gplCompatible: (info.u32(84) & 1) !== 0,
    interfaceIndex: info.u32(80),
    jitedSize: info.u32(16),
    btfId: info.u32(128),
    runTimeNs: info.u64(192),
    runCount: info.u64(200),
    recursionMisses: info.u64OrNull(208),
    verifiedInstructions: info.u32OrNull(216),
    attachBtfObjectId: info.u32OrNull(220),
    attachBtfId: info.u32OrNull(224),
  };
}

/** The kernel clears the pointer to what it keeps to itself. */
function given(info: ObjectInfo, pointerAt: number, { bytes }: SyscallBuffer): Uint8Array | null {
  return bytes.length === 0 || info.u64(pointerAt) === 0n ? null : bytes;
}

function readLine(view: DataView, at: number): ProgramInfoLine {
  const place = view.getUint32(at + 12, true);
  return {
    slot: view.getUint32(at, true),
    fileNameOffset: view.getUint32(at + 4, true),
    sourceOffset: view.getUint32(at + 8, true),
    // BPF_LINE_INFO_LINE_NUM and BPF_LINE_INFO_LINE_COL.
    line: place >>> 10,
    column: place & 0x3ff,
  };
}

function records<T>(bytes: Uint8Array, size: number, read: (view: DataView, at: number) => T): T[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const all: T[] = [];
  for (let at = 0; size > 0 && at + size <= bytes.length; at += size) all.push(read(view, at));
  return all;
}

function words(bytes: Uint8Array): number[] {
  return records(bytes, 4, (view, at) => view.getUint32(at, true));
}

function numbers(bytes: Uint8Array | null): bigint[] | null {
  return bytes === null ? null : records(bytes, 8, (view, at) => view.getBigUint64(at, true));
}
