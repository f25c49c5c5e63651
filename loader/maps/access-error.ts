import { describeErrno, errnoName } from '../agent/errno.ts';
import { ExplainedError } from '../errors.ts';
import { isMapOfMaps, type MapType, mapTypeName } from '../object/map-types.ts';
import type { MapSpec } from '../object/spec.ts';

/** What was asked of a map, in words that go between `cannot` and `the map`. */
export type MapAction = 'read' | 'write to' | 'delete from' | 'list the keys of' | 'take elements out of' | 'push to';

const INDEXED: ReadonlySet<MapType | null> = new Set([
  'array',
  'percpu_array',
  'array_of_maps',
  'prog_array',
  'perf_event_array',
  'cgroup_array',
  'devmap',
  'cpumap',
  'xskmap',
  'sockmap',
  'reuseport_sockarray',
]);
const WITHOUT_KEYS: ReadonlySet<MapType | null> = new Set(['queue', 'stack', 'bloom_filter']);
const RINGS: ReadonlySet<MapType | null> = new Set(['ringbuf', 'user_ringbuf']);

/** Code `map-access`: the errno and, where the kernel's map types (kernel/bpf/*map*.c) leave one reason for it, that reason and what to do. */
export function accessError(spec: MapSpec, action: MapAction, errno: number): ExplainedError {
  const [why, fix] = reasonFor(spec, action, errnoName(errno));
  return new ExplainedError('map-access', `cannot ${action} the map`, {
    where: `map ${spec.name}`,
    why: why === undefined ? describeErrno(errno) : `${describeErrno(errno)}: ${why}`,
    ...(fix === undefined ? {} : { fix }),
  });
}

function reasonFor(spec: MapSpec, action: MapAction, errno: string): readonly [why?: string, fix?: string] {
  const type = mapTypeName(spec.type);
  const writes = action === 'write to' || action === 'push to';
  const maps = `${type ?? spec.type} maps`;
  switch (errno) {
    case 'EPERM':
      if (writes && spec.frozen) {
        return [
          'it is read-only and was frozen when it was loaded',
          'set such variables before the load: spec.variable(name).set(value)',
        ];
      }
      return ['it may be frozen or made with BPF_F_RDONLY or BPF_F_WRONLY, or the agent lacks the right (CAP_BPF)'];
    case 'E2BIG':
      if (!writes) return [];
      if (INDEXED.has(type))
        return [`its last index is ${spec.maxEntries - 1}`, 'set maxEntries of its specification before the load'];
      return [
        `it is full: it holds ${spec.maxEntries} elements`,
        'remove some, or set maxEntries of its specification before the load; lru_hash maps drop the oldest by themselves',
      ];
    case 'EEXIST':
      return writes ? ['an element of that key is there, and BPF_NOEXIST (1) was given'] : [];
    case 'ENOENT':
      return writes ? ['no element of that key is there, and BPF_EXIST (2) was given'] : [];
    case 'ENOTSUPP':
    case 'EOPNOTSUPP':
      if (RINGS.has(type)) return [`${maps} have no elements`, 'read and write them as RingBuffer and UserRingBuffer'];
      return [`${maps} cannot, or this kernel's cannot yet`];
    case 'EFAULT':
      return WITHOUT_KEYS.has(type)
        ? []
        : [`elements of ${maps} have keys`, 'push, pop and peek are for queues and stacks'];
    case 'EINVAL':
      if (WITHOUT_KEYS.has(type) && action !== 'push to') {
        return [
          `${maps} have no keys`,
          'push, pop and peek are for queues and stacks, push and mayHold for bloom filters',
        ];
      }
      if (RINGS.has(type)) return [`${maps} have no elements`, 'read and write them as RingBuffer and UserRingBuffer'];
      if (action === 'delete from' && INDEXED.has(type)) return ['elements of an array stay; they can be set to zero'];
      if (writes && isMapOfMaps(spec.type)) {
        return [
          'the map that is to be its element differs in type, sizes, flags or, mostly, entries from what it declares (bpf_map_meta_equal)',
        ];
      }
      if (writes && type === 'prog_array') {
        return [
          'the program differs in type or attach type from those that are there or that use it (bpf_prog_map_compatible)',
        ];
      }
      return [];
    default:
      return [];
  }
}
