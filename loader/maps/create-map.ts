import type { AgentConnection } from '../agent/connection.ts';
import { describeErrno, errnoName } from '../agent/errno.ts';
import { LoadError } from '../load-error.ts';
import type { MapSpec, ObjectContent } from '../object/spec.ts';
import type { ExternResolution } from '../resolve/outcome.ts';
import { AttrWriter, objectName } from '../syscall/attr.ts';
import { BpfCommand, bpf, closeAll } from '../syscall/bpf.ts';
import { possibleCpus } from '../syscall/cpus.ts';
import { LoadedMap } from './loaded-map.ts';

const PERF_EVENT_ARRAY = 4;
const RINGBUF = 27;
const FIRST_KEY = new Uint8Array(4);

/** What maps need beside their specification. */
export interface MapContext {
  readonly agent: AgentConnection;
  readonly object: ObjectContent;
  /** The object's BTF in the kernel, or null. */
  readonly btfFd: number | null;
  readonly resolutions: readonly ExternResolution[];
}

/**
 * Creates a map; one of a data section is filled, and frozen if it is read-only. Types that take no BTF, and kernels that do not like it,
 * get the map without (as in bpf_object__create_map of libbpf's src/libbpf.c). Throws LoadError of phase `map`, and AgentError.
 */
export async function createMap(spec: MapSpec, context: MapContext): Promise<LoadedMap> {
  const { agent, btfFd } = context;
  const maxEntries = await entriesFor(spec, agent);
  const withTypes = btfFd !== null && (spec.keyTypeId !== null || spec.valueTypeId !== null);
  let result = await bpf(
    agent,
    BpfCommand.mapCreate,
    mapCreateAttr(spec, maxEntries, withTypes ? btfFd : null, context),
  );
  if (result.errno !== 0 && withTypes) {
    result = await bpf(agent, BpfCommand.mapCreate, mapCreateAttr(spec, maxEntries, null, context));
  }
  if (result.errno !== 0) throw mapError(spec, context, 'the kernel does not create the map', result.errno);
  const map = new LoadedMap(agent, { ...spec, maxEntries }, result.value);
  try {
    await fill(map, context);
  } catch (error) {
    await closeAll(agent, [map.fd]);
    throw error;
  }
  return map;
}

/** BPF_MAP_CREATE up to btf_value_type_id. */
function mapCreateAttr(spec: MapSpec, maxEntries: number, btfFd: number | null, context: MapContext) {
  return new AttrWriter()
    .u32(spec.type)
    .u32(spec.keySize)
    .u32(spec.valueSize)
    .u32(maxEntries)
    .u32(spec.flags)
    .u32(0) // inner_map_fd
    .u32(0) // numa_node
    .bytes(objectName(mapName(spec, context.object)))
    .u32(0) // map_ifindex
    .u32(btfFd ?? 0)
    .u32(btfFd === null ? 0 : (spec.keyTypeId ?? 0))
    .u32(btfFd === null ? 0 : (spec.valueTypeId ?? 0))
    .finish();
}

async function fill(map: LoadedMap, context: MapContext): Promise<void> {
  const { spec } = map;
  if (spec.data?.some((byte) => byte !== 0) === true) {
    try {
      await map.update(FIRST_KEY, spec.data);
    } catch (error) {
      throw mapError(spec, context, error instanceof Error ? error.message : 'the map cannot be filled');
    }
  }
  if (!spec.frozen) return;
  const errno = await map.freeze();
  // Kernels before 5.2 know no freezing; there the verifier takes no value for constant.
  if (errno !== 0 && errnoName(errno) !== 'EINVAL') throw mapError(spec, context, 'the map cannot be frozen', errno);
}

/** Sizes that depend on the machine: one perf buffer for each CPU, ring buffers of whole pages in a power of two. */
async function entriesFor(spec: MapSpec, agent: AgentConnection): Promise<number> {
  if (spec.type === PERF_EVENT_ARRAY && spec.maxEntries === 0) return possibleCpus(agent);
  if (spec.type !== RINGBUF || spec.maxEntries === 0) return spec.maxEntries;
  return 2 ** Math.ceil(Math.log2(Math.max(spec.maxEntries, agent.hello.pageSize)));
}

/** A data section's map is called after the object, as libbpf and therefore bpftool's users know it: `program.rodata`. */
function mapName(spec: MapSpec, object: ObjectContent): string {
  if (spec.data === null) return spec.name;
  const base = (object.name.split('/').at(-1) ?? '').replace(/\..*$/, '');
  return `${base.slice(0, Math.max(0, Math.min(8, 15 - spec.name.length)))}${spec.name}`;
}

function mapError(spec: MapSpec, context: MapContext, what: string, errno?: number): LoadError {
  return new LoadError('map', what, {
    object: `${context.object.name}, map ${spec.name}`,
    resolutions: context.resolutions,
    ...(errno === undefined ? {} : { errno, fix: fixFor(errno) }),
  });
}

function fixFor(errno: number): string {
  return errnoName(errno) === 'EPERM'
    ? 'give the agent CAP_BPF (or root), and on kernels before 5.11 a higher limit on locked memory'
    : `check type, sizes, entries and flags of the map: ${describeErrno(errno)}`;
}
