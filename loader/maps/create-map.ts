import type { AgentConnection } from '../agent/connection.ts';
import { errnoName } from '../agent/errno.ts';
import { ExplainedError } from '../errors.ts';
import { isMapOfMaps, mapTypeNumber } from '../object/map-types.ts';
import type { MapSpec } from '../object/spec.ts';
import { BpfCommand, bpf, closeAll } from '../syscall/bpf.ts';
import { possibleCpus } from '../syscall/cpus.ts';
import { placeArena, wantsPlace } from './arena.ts';
import { kernelMapName, mapCreateAttr } from './create-attr.ts';
import { LoadedMap } from './loaded-map.ts';
import { needsTypes, numberFault, takesTypes } from './map-demands.ts';
import { type MapErrorContext, mapError, notCreated } from './map-error.ts';

const FIRST_KEY = new Uint8Array(4);

/** What maps need beside their specification. */
export interface MapContext extends MapErrorContext {
  readonly agent: AgentConnection;
  /** The object's BTF in the kernel, or null. */
  readonly btfFd: number | null;
  /** BTF fds by module, for every module that a struct_ops map names. */
  readonly moduleBtfs: ReadonlyMap<string, number>;
}

/**
 * Creates a map; one of a data section is filled, and frozen if it is read-only. Types that take no BTF, and kernels that do not like it,
 * get the map without (as in bpf_object__create_map of libbpf's src/libbpf.c). A map of maps gets a map of its elements' kind to go by, which
 * is closed again; its elements are filled in by `fillMaps`. Throws LoadError of phase `map`, and AgentError.
 */
export async function createMap(spec: MapSpec, context: MapContext): Promise<LoadedMap> {
  const sized = await atSize(spec, context.agent);
  const fd = await create(sized, context);
  const map = new LoadedMap(context.agent, sized, fd, context.object.btf);
  try {
    await fill(map, context);
    if (wantsPlace(sized)) await placeArena(map, context);
  } catch (error) {
    await closeAll(context.agent, [fd]);
    throw error;
  }
  return map;
}

/**
 * The specification with sizes that depend on the machine: one perf buffer for each possible CPU, ring buffers of whole pages in a power of two
 * (map_set_def_max_entries and adjust_ringbuf_sz in libbpf's src/libbpf.c).
 */
export async function atSize(spec: MapSpec, agent: AgentConnection): Promise<MapSpec> {
  const { type, maxEntries } = spec;
  if (type === mapTypeNumber('perf_event_array') && maxEntries === 0) {
    return { ...spec, maxEntries: await possibleCpus(agent) };
  }
  const ring = type === mapTypeNumber('ringbuf') || type === mapTypeNumber('user_ringbuf');
  if (!ring || maxEntries === 0) return { ...spec };
  const rounded = 2 ** Math.ceil(Math.log2(Math.max(maxEntries, agent.hello.pageSize)));
  return { ...spec, maxEntries: Math.min(rounded, LARGEST_RING) };
}

/** The largest power of two that max_entries has room for. */
const LARGEST_RING = 2 ** 31;

async function create(spec: MapSpec, context: MapContext): Promise<number> {
  const { agent, btfFd, object } = context;
  const name = kernelMapName(spec, object.name);
  const { maxEntries } = spec;
  const fault = numberFault(spec);
  if (fault !== null) throw mapError(spec, context, 'the map cannot be created', { summary: fault });
  const innerFd = await createInner(spec, context);
  try {
    const withTypes = btfFd !== null && takesTypes(spec);
    const moduleBtfFd = context.moduleBtfs.get(spec.structOps?.kernelModule ?? '') ?? null;
    const attempt = (fd: number | null) =>
      bpf(agent, BpfCommand.mapCreate, mapCreateAttr(spec, { name, maxEntries, btfFd: fd, innerFd, moduleBtfFd }));
    const first = await attempt(withTypes ? btfFd : null);
    const result = first.errno !== 0 && withTypes && !needsTypes(spec) ? await attempt(null) : first;
    if (result.errno !== 0) throw notCreated(spec, context, result.errno);
    return result.value;
  } finally {
    // The kernel keeps what it wants to know of it (bpf_map_meta_alloc, kernel/bpf/map_in_map.c).
    if (innerFd !== null) await closeAll(agent, [innerFd]);
  }
}

async function createInner(spec: MapSpec, context: MapContext): Promise<number | null> {
  if (!isMapOfMaps(spec.type)) return null;
  if (spec.inner !== undefined) return create(await atSize(spec.inner, context.agent), context);
  throw mapError(spec, context, 'a map of maps does not say what its elements look like', {
    fix: 'declare them with __array(values, struct { … }), or set `inner` of the map’s specification',
  });
}

async function fill(map: LoadedMap, context: MapContext): Promise<void> {
  const { spec } = map;
  if (spec.data?.some((byte) => byte !== 0) === true) {
    try {
      await map.update(FIRST_KEY, spec.data);
    } catch (error) {
      if (!(error instanceof ExplainedError) || error.code !== 'map-access') throw error;
      throw mapError(spec, context, 'the map cannot be filled', {
        ...(error.why === undefined ? {} : { summary: error.why }),
      });
    }
  }
  if (!spec.frozen) return;
  const errno = await map.freeze();
  // Kernels before 5.2 know no freezing; there the verifier takes no value for constant.
  if (errno !== 0 && errnoName(errno) !== 'EINVAL') {
    throw mapError(spec, context, 'the map cannot be frozen', { errno });
  }
}
