import type { SyscallBuffer } from '../agent/connection.ts';
import { SLOT_SIZE } from '../insn/opcodes.ts';
import type { FunctionSpec, ProgramSpec } from '../object/spec.ts';
import { AttrWriter, input, objectName, type Pointer } from '../syscall/attr.ts';

/** What BPF_PROG_LOAD is told. */
export interface ProgramLoad {
  /** `enum bpf_prog_type`. */
  readonly type: number;
  readonly code: Uint8Array;
  readonly license: SyscallBuffer;
  readonly name: string;
  /** BPF_F_SLEEPABLE and the like. */
  readonly flags?: number;
  /** `enum bpf_attach_type`. */
  readonly attachType?: number;
  /** What to attach to: an id in vmlinux BTF, or in the BTF that `attachBtfFd` is open on. */
  readonly attachBtfId?: number;
  readonly attachBtfFd?: number;
  /** The object's BTF with `struct bpf_func_info` and `struct bpf_line_info` records. */
  readonly btf?: { readonly fd: number; readonly functions: Uint8Array; readonly lines: Uint8Array };
  /** BTF fds of modules, for kfunc calls. */
  readonly fdArray?: readonly number[];
  readonly log?: { readonly level: number; readonly buffer: SyscallBuffer };
}

const FUNCTION_RECORD = 8;
const LINE_RECORD = 16;

/** BPF_PROG_LOAD up to log_true_size (`union bpf_attr`, include/uapi/linux/bpf.h), without a log shortened to what is used: 5.10 ends at attach_prog_fd. */
export function programLoadAttr(load: ProgramLoad): SyscallBuffer {
  const { btf, log } = load;
  const records = (bytes: Uint8Array | undefined): Pointer =>
    bytes === undefined || bytes.length === 0 ? null : input(bytes);
  const [functions, lines] = [records(btf?.functions), records(btf?.lines)];
  const count = (pointer: Pointer, size: number): number => (pointer?.bytes.length ?? 0) / size;
  return (
    new AttrWriter()
      .u32(load.type)
      .u32(load.code.length / SLOT_SIZE)
      .pointer(input(load.code))
      .pointer(load.license)
      .u32(log?.level ?? 0)
      .u32(log?.buffer.bytes.length ?? 0)
      .pointer(log?.buffer ?? null)
      .u32(0) // kern_version
      .u32(load.flags ?? 0)
      .bytes(objectName(load.name))
      .u32(0) // prog_ifindex
      .u32(load.attachType ?? 0)
      .u32(btf?.fd ?? 0)
      .u32(functions === null ? 0 : FUNCTION_RECORD)
      .pointer(functions)
      .u32(count(functions, FUNCTION_RECORD))
      .u32(lines === null ? 0 : LINE_RECORD)
      .pointer(lines)
      .u32(count(lines, LINE_RECORD))
      .u32(load.attachBtfId ?? 0)
      .u32(load.attachBtfFd ?? 0)
      .u32(0) // core_relo_cnt
      .pointer(fdArrayOf(load.fdArray ?? []))
      .u64(0n) // core_relos
      .u32(0) // core_relo_rec_size
      .u32(0) // log_true_size
      // The kernel writes the log's size only where the attribute has room for it.
      .finish({ whole: log !== undefined })
  );
}

/** How long a log has to be, as the kernel wrote it into an attribute that asked for a log (`log_true_size`, Linux 6.4); 0 before that, or without a log. */
export function trueLogSize({ bytes }: SyscallBuffer): number {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  return bytes.length < LOG_TRUE_SIZE + 4 ? 0 : view.getUint32(LOG_TRUE_SIZE, true);
}

const LOG_TRUE_SIZE = 140;

/** `struct bpf_func_info` for each function; empty unless all have a FUNC, since the kernel wants all or none. */
export function functionInfo(functions: readonly FunctionSpec[]): Uint8Array {
  if (functions.some(({ typeId }) => typeId === null)) return new Uint8Array();
  return words(functions.flatMap(({ slot, typeId }) => [slot, typeId ?? 0]));
}

/** `struct bpf_line_info` for each line; several at one slot are refused by the kernel, so the last of them stands. */
export function lineInfo(program: ProgramSpec): Uint8Array {
  const bySlot = new Map(program.lines.map((line) => [line.slot, line]));
  return words(
    [...bySlot.values()].flatMap(({ slot, fileNameOffset, sourceOffset, line, column }) => [
      slot,
      fileNameOffset,
      sourceOffset,
      ((line << 10) | column) >>> 0,
    ]),
  );
}

function fdArrayOf(fds: readonly number[]): Pointer {
  return fds.length === 0 ? null : input(words(fds));
}

function words(values: readonly number[]): Uint8Array {
  const bytes = new Uint8Array(4 * values.length);
  const view = new DataView(bytes.buffer);
  for (const [index, value] of values.entries()) view.setUint32(4 * index, value, true);
  return bytes;
}
