/** `enum bpf_map_type` (include/uapi/linux/bpf.h) in lower case, without the prefix `BPF_MAP_TYPE_`; the name's index is its number. */
const NAMES = [
  'unspec',
  'hash',
  'array',
  'prog_array',
  'perf_event_array',
  'percpu_hash',
  'percpu_array',
  'stack_trace',
  'cgroup_array',
  'lru_hash',
  'lru_percpu_hash',
  'lpm_trie',
  'array_of_maps',
  'hash_of_maps',
  'devmap',
  'sockmap',
  'cpumap',
  'xskmap',
  'sockhash',
  'cgroup_storage',
  'reuseport_sockarray',
  'percpu_cgroup_storage',
  'queue',
  'stack',
  'sk_storage',
  'devmap_hash',
  'struct_ops',
  'ringbuf',
  'inode_storage',
  'task_storage',
  'bloom_filter',
  'user_ringbuf',
  'cgrp_storage',
  'arena',
  'insn_array',
  'rhash',
] as const;

/** A map type by name. */
export type MapType = (typeof NAMES)[number];

/** The name of a map type's number; null for one that is not known here. */
export function mapTypeName(type: number): MapType | null {
  return NAMES[type] ?? null;
}

/** The number of a map type. */
export function mapTypeNumber(name: MapType): number {
  return NAMES.indexOf(name);
}

/** Whether elements are maps themselves: `array_of_maps`, `hash_of_maps`. */
export function isMapOfMaps(type: number): boolean {
  return type === mapTypeNumber('array_of_maps') || type === mapTypeNumber('hash_of_maps');
}
