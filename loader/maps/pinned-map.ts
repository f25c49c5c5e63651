import { ExplainedError } from '../errors.ts';
import { mapTypeName } from '../object/map-types.ts';
import type { MapSpec } from '../object/spec.ts';
import { closeAll } from '../syscall/bpf.ts';
import { openPinned, pinObject, unpin } from '../syscall/pin.ts';
import { atSize, type MapContext } from './create-map.ts';
import { LoadedMap } from './loaded-map.ts';
import { mapError } from './map-error.ts';
import { type MapInfo, readMapInfo } from './map-info.ts';

/** BPF_F_RDONLY_PROG, which the kernel adds to device maps itself (dev_map_init_map, kernel/bpf/devmap.c). */
const RDONLY_PROG = 1 << 7;

/** Where a map of `LIBBPF_PIN_BY_NAME` is pinned; null for maps that are not. */
export function pinPath(spec: MapSpec, folder: string): string | null {
  return spec.pinning === undefined ? null : `${folder.replace(/\/+$/, '')}/${spec.name}`;
}

/**
 * Opens the map that is pinned at a path, to be used instead of a new one; null if nothing is pinned there. Its content stays as it is.
 * @throws LoadError of phase `map` if it is not what the object declares (map_is_reuse_compat in libbpf's src/libbpf.c), or no map; AgentError
 */
export async function reusePinned(spec: MapSpec, path: string, context: MapContext): Promise<LoadedMap | null> {
  const { agent } = context;
  const fd = await openIfThere(spec, path, context);
  if (fd === null) return null;
  try {
    const sized = await atSize(spec, agent);
    const differences = differencesOf(sized, await readMapInfo(agent, fd));
    if (differences.length > 0) {
      throw mapError(spec, context, `what is pinned at ${path} is another kind of map`, {
        summary: differences.join(', '),
        fix: `remove the pin (rm ${path}) if nothing needs it, or choose another folder with the load option pinFolder`,
      });
    }
    return new LoadedMap(agent, sized, fd, context.object.btf);
  } catch (error) {
    await closeAll(agent, [fd]);
    throw error instanceof ExplainedError && error.code === 'map-info' ? refusal(spec, context, error) : error;
  }
}

/** A map and where to pin it. */
export interface MapToPin {
  readonly map: LoadedMap;
  readonly path: string;
}

/** Pins new maps; if one cannot be, none is. Throws LoadError of phase `map`, AgentError. */
export async function pinMaps(maps: readonly MapToPin[], context: MapContext): Promise<void> {
  const pinned: string[] = [];
  for (const { map, path } of maps) {
    try {
      await pinObject(context.agent, map.fd, path);
      pinned.push(path);
    } catch (error) {
      for (const one of pinned) await unpin(context.agent, one);
      throw error instanceof ExplainedError ? refusal(map.spec, context, error) : error;
    }
  }
}

async function openIfThere(spec: MapSpec, path: string, context: MapContext): Promise<number | null> {
  try {
    return await openPinned(context.agent, path, 'map');
  } catch (error) {
    if (!(error instanceof ExplainedError)) throw error;
    if (error.code === 'pin-missing') return null;
    throw refusal(spec, context, error);
  }
}

function refusal(spec: MapSpec, context: MapContext, error: ExplainedError): ExplainedError {
  if (error.code !== 'map-info' && !error.code.startsWith('pin-')) return error;
  return mapError(spec, context, error.message, {
    summary: [error.where, error.why].filter((part) => part !== undefined).join(': '),
    ...(error.fix === undefined ? {} : { fix: error.fix }),
  });
}

function differencesOf(spec: MapSpec, info: MapInfo): string[] {
  const type = mapTypeName(spec.type);
  const flags = type === 'devmap' || type === 'devmap_hash' ? info.flags & ~RDONLY_PROG : info.flags;
  const pairs: readonly (readonly [string, unknown, unknown])[] = [
    ['type', mapTypeName(info.type) ?? info.type, type ?? spec.type],
    ['key_size', info.keySize, spec.keySize],
    ['value_size', info.valueSize, spec.valueSize],
    ['max_entries', info.maxEntries, spec.maxEntries],
    ['map_flags', flags, spec.flags],
    ['map_extra', info.mapExtra, BigInt(spec.mapExtra ?? 0)],
  ];
  return pairs
    .filter(([, pinned, declared]) => pinned !== declared)
    .map(([what, pinned, declared]) => `its ${what} is ${pinned}, the object declares ${declared}`);
}
