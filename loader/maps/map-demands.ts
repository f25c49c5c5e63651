import { type MapType, mapTypeName } from '../object/map-types.ts';
import type { MapSpec } from '../object/spec.ts';

/** Types that take no types of key and value: their elements are descriptors or bytes (map_check_btf in kernel/bpf/; the list of bpf_object__create_map in libbpf's src/libbpf.c). */
const WITHOUT_BTF: ReadonlySet<MapType> = new Set<MapType>([
  'perf_event_array',
  'cgroup_array',
  'stack_trace',
  'array_of_maps',
  'hash_of_maps',
  'devmap',
  'devmap_hash',
  'cpumap',
  'xskmap',
  'sockmap',
  'sockhash',
  'queue',
  'stack',
  'arena',
  'insn_array',
]);

/**
 * Storage at sockets, inodes, tasks and control groups, and implementations of the kernel's structs: refused without types
 * (bpf_local_storage_map_alloc_check, kernel/bpf/bpf_local_storage.c; map_create, kernel/bpf/syscall.c).
 */
const ONLY_WITH_BTF: ReadonlySet<MapType> = new Set<MapType>([
  'sk_storage',
  'inode_storage',
  'task_storage',
  'cgrp_storage',
  'struct_ops',
]);

/** Whether the kernel may be told the types of a map's key and value. */
export function takesTypes(spec: MapSpec): boolean {
  const name = mapTypeName(spec.type);
  return (spec.keyTypeId !== null || spec.valueTypeId !== null) && (name === null || !WITHOUT_BTF.has(name));
}

/** Whether the kernel creates such a map only with the types of key and value. */
export function needsTypes(spec: MapSpec): boolean {
  const name = mapTypeName(spec.type);
  return name !== null && ONLY_WITH_BTF.has(name);
}

const BPF_F_NO_PREALLOC = 1;
const BPF_F_MMAPABLE = 1 << 10;

interface Demand {
  /** Bytes of the key; absent: any but 0. */
  readonly keySize?: number;
  /** Bytes of the value; absent: any but 0. */
  readonly valueSize?: number;
  /** Absent: any but 0. */
  readonly maxEntries?: 0;
  readonly flag?: { readonly bit: number; readonly name: string };
}

const STORAGE: Demand = { keySize: 4, maxEntries: 0, flag: { bit: BPF_F_NO_PREALLOC, name: 'BPF_F_NO_PREALLOC' } };
const DESCRIPTORS: Demand = { keySize: 4, valueSize: 4 };
const BYTES: Demand = { keySize: 0, valueSize: 0 };

/** What each type's own check demands (the map_alloc_check of its file in kernel/bpf/ and net/core/). */
const DEMANDS: Partial<Record<MapType, Demand>> = {
  array: { keySize: 4 },
  percpu_array: { keySize: 4 },
  prog_array: DESCRIPTORS,
  perf_event_array: DESCRIPTORS,
  cgroup_array: DESCRIPTORS,
  array_of_maps: DESCRIPTORS,
  hash_of_maps: { valueSize: 4 },
  lpm_trie: { flag: { bit: BPF_F_NO_PREALLOC, name: 'BPF_F_NO_PREALLOC' } },
  queue: { keySize: 0 },
  stack: { keySize: 0 },
  bloom_filter: { keySize: 0 },
  ringbuf: BYTES,
  user_ringbuf: BYTES,
  arena: { ...BYTES, flag: { bit: BPF_F_MMAPABLE, name: 'BPF_F_MMAPABLE' } },
  sk_storage: STORAGE,
  inode_storage: STORAGE,
  task_storage: STORAGE,
  cgrp_storage: STORAGE,
};

/** What about a map's numbers the kernel could not even be told, as it takes 32 bits of each; null if nothing. */
export function numberFault(spec: MapSpec): string | null {
  const { keySize, valueSize, maxEntries, flags } = spec;
  for (const [what, value] of Object.entries({ keySize, valueSize, maxEntries, flags })) {
    if (Number.isInteger(value) && value >= 0 && value < 2 ** 32) continue;
    return `its ${what} is ${value}, and has to be a whole number from 0 to 4294967295`;
  }
  return null;
}

/** What is wrong with a map that the kernel calls invalid, as far as its type tells; null if nothing is seen. */
export function faultOf(spec: MapSpec): string | null {
  const name = mapTypeName(spec.type);
  if (name === null) return `${spec.type} is no map type that is known here`;
  const { keySize, valueSize, maxEntries, flag } = DEMANDS[name] ?? {};
  const size = (what: string, is: number, wanted: number | undefined): string | null => {
    if (wanted === undefined)
      return is === 0 ? `${what}s of ${name} maps take at least one byte, and these take none` : null;
    return is === wanted ? null : `${what}s of ${name} maps take ${wanted} bytes, not ${is}`;
  };
  const storage = name === 'cgroup_storage' || name === 'percpu_cgroup_storage';
  if (maxEntries === 0 || storage ? spec.maxEntries !== 0 : spec.maxEntries === 0) {
    return `max_entries of ${name} maps has to be ${spec.maxEntries === 0 ? 'more than 0' : '0'}`;
  }
  if (flag !== undefined && (spec.flags & flag.bit) === 0) return `map_flags of ${name} maps must have ${flag.name}`;
  return size('key', spec.keySize, keySize) ?? size('value', spec.valueSize, valueSize);
}
