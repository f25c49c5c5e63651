import type { SyscallBuffer } from '../agent/connection.ts';
import type { MapSpec } from '../object/spec.ts';
import { AttrWriter, objectName } from '../syscall/attr.ts';

/** What BPF_MAP_CREATE is told beside the map's specification. */
export interface MapCreation {
  /** As the kernel shows it; cut to 15 bytes. */
  readonly name: string;
  /** What takes the place of the specification's, for types whose size depends on the machine. */
  readonly maxEntries: number;
  /** The BTF that holds the types of key and value; null to create the map without them. */
  readonly btfFd: number | null;
  /** A map whose like are the elements of this one; null if it holds none. */
  readonly innerFd: number | null;
  /** BTF of the module that has the type of a struct_ops map's value; null for vmlinux. */
  readonly moduleBtfFd: number | null;
}

/** The value's type is in the BTF of a module (`BPF_F_VTYPE_BTF_OBJ_FD`, Linux 6.9). */
const VALUE_TYPE_IN_MODULE = 1 << 15;

/** BPF_MAP_CREATE up to value_type_btf_obj_fd (`union bpf_attr`, include/uapi/linux/bpf.h), shortened to what is used. */
export function mapCreateAttr(
  spec: MapSpec,
  { name, maxEntries, btfFd, innerFd, moduleBtfFd }: MapCreation,
): SyscallBuffer {
  return (
    new AttrWriter()
      .u32(spec.type)
      .u32(spec.keySize)
      .u32(spec.valueSize)
      .u32(maxEntries)
      .u32(moduleBtfFd === null ? spec.flags : spec.flags | VALUE_TYPE_IN_MODULE)
      .u32(innerFd ?? 0)
      .u32(spec.numaNode ?? 0)
      .bytes(objectName(name))
      .u32(0) // map_ifindex
      .u32(btfFd ?? 0)
      .u32(btfFd === null ? 0 : (spec.keyTypeId ?? 0))
      // Of struct_ops the kernel's own type, in the next field.
      .u32(btfFd === null || spec.structOps !== undefined ? 0 : (spec.valueTypeId ?? 0))
      .u32(spec.structOps?.kernelTypeId ?? 0)
      .u64(BigInt(spec.mapExtra ?? 0))
      .u32(moduleBtfFd ?? 0)
      .finish()
  );
}

/** Bytes that a map's name may have: BPF_OBJ_NAME_LEN less the final zero. */
const NAME_LENGTH = 15;
/** What `.rodata` takes; libbpf leaves as much room for shorter names, too. */
const SUFFIX_LENGTH = 7;
const PREFIX_LENGTH = 8;

/**
 * The name of a map in the kernel. A data section's is called after the object, as users of libbpf and bpftool know it: `program.rodata`, `my_objec.bss`;
 * sections with a name of their own, as `.data.custom`, stand alone (internal_map_name in libbpf's src/libbpf.c).
 */
export function kernelMapName(spec: MapSpec, objectName: string): string {
  if (spec.data === null || spec.name.includes('.', 1)) return spec.name;
  const base = (objectName.split('/').at(-1) ?? '').replace(/\..*$/s, '');
  const room = Math.max(0, NAME_LENGTH - Math.max(SUFFIX_LENGTH, spec.name.length));
  return `${base.slice(0, Math.min(PREFIX_LENGTH, room))}${spec.name}`;
}
