import type { AgentConnection } from '../agent/connection.ts';
import { errnoName } from '../agent/errno.ts';
import { type MapType, mapTypeNumber } from '../object/map-types.ts';
import { AttrWriter, objectName } from '../syscall/attr.ts';
import { BpfCommand, bpf, closeAll, liftMemoryLimit } from '../syscall/bpf.ts';
import { type FeatureSupport, inconclusiveErrno, notSupported, supported } from './support.ts';

/** What BPF_MAP_CREATE is told. */
interface Shape {
  readonly key?: number;
  readonly value?: number;
  readonly entries?: number;
  readonly flags?: number;
  readonly innerFd?: number;
  readonly btfFd?: number;
  readonly keyType?: number;
  readonly valueType?: number;
  readonly kernelValueType?: number;
}

const NO_PREALLOC = 1;
const MMAPABLE = 1 << 10;
/** No descriptor: a kernel that knows the map type comes so far as to say EBADF. */
const NO_FD = 0xffff_ffff;
/** Storage in kernel objects wants a BTF for its values, and is asked for last in bpf_local_storage_map_alloc_check's callers. */
const STORAGE: Shape = { value: 8, entries: 0, flags: NO_PREALLOC, btfFd: NO_FD, keyType: 1, valueType: 3 };
const OF_MAPS: Shape = { innerFd: NO_FD };
/** `struct bpf_cgroup_storage_key` has 16 bytes. */
const CGROUP_STORAGE: Shape = { key: 16, value: 8, entries: 0 };

/** Shapes that each type's `map_alloc_check` takes, where a key and a value of four bytes and one entry are not right. */
const SHAPES: Partial<Record<MapType, Shape>> = {
  stack_trace: { value: 8 },
  lpm_trie: { key: 8, value: 8, flags: NO_PREALLOC },
  array_of_maps: OF_MAPS,
  hash_of_maps: OF_MAPS,
  cgroup_storage: CGROUP_STORAGE,
  percpu_cgroup_storage: CGROUP_STORAGE,
  queue: { key: 0 },
  stack: { key: 0 },
  sk_storage: STORAGE,
  inode_storage: STORAGE,
  task_storage: STORAGE,
  cgrp_storage: STORAGE,
  struct_ops: { kernelValueType: 1 },
  bloom_filter: { key: 0 },
  arena: { key: 0, value: 0, flags: MMAPABLE },
  // `struct bpf_insn_array_value`.
  insn_array: { value: 16 },
  rhash: { flags: NO_PREALLOC },
};

/**
 * Whether the kernel has a map type: by creating a map. EINVAL is what a kernel says that does not know the type, or was built without it
 * (map_create, kernel/bpf/syscall.c); E2BIG one that does not know the attributes that came with it. Throws AgentError.
 */
export async function probeMapType(agent: AgentConnection, type: MapType): Promise<FeatureSupport> {
  await liftMemoryLimit(agent);
  const ring: Shape = { key: 0, value: 0, entries: agent.hello.pageSize };
  const shape = type === 'ringbuf' || type === 'user_ringbuf' ? ring : (SHAPES[type] ?? {});
  const { value, errno } = await bpf(agent, BpfCommand.mapCreate, mapCreateAttr(mapTypeNumber(type), shape));
  if (errno === 0) {
    await closeAll(agent, [value]);
    return supported('a map of this type was created');
  }
  const name = errnoName(errno);
  if (name === 'EBADF' && (shape.innerFd ?? shape.btfFd) === NO_FD) {
    return supported('the kernel misses nothing but the descriptor that it was not given');
  }
  // bpf_struct_ops_map_alloc: there is no such struct.
  if (type === 'struct_ops' && errno === ENOTSUPP) return supported('the kernel misses a struct to implement');
  if (name === 'EINVAL' || name === 'E2BIG' || name === 'EOPNOTSUPP')
    return notSupported(`the kernel answered ${name}`);
  return inconclusiveErrno(errno);
}

const ENOTSUPP = 524;

function mapCreateAttr(type: number, shape: Shape) {
  return new AttrWriter()
    .u32(type)
    .u32(shape.key ?? 4)
    .u32(shape.value ?? 4)
    .u32(shape.entries ?? 1)
    .u32(shape.flags ?? 0)
    .u32(shape.innerFd ?? 0)
    .u32(0) // numa_node
    .bytes(objectName('probe'))
    .u32(0) // map_ifindex
    .u32(shape.btfFd ?? 0)
    .u32(shape.keyType ?? 0)
    .u32(shape.valueType ?? 0)
    .u32(shape.kernelValueType ?? 0)
    .finish();
}
