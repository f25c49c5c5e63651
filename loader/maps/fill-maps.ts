import { ExplainedError } from '../errors.ts';
import { mapTypeNumber } from '../object/map-types.ts';
import type { InitialElement } from '../object/spec.ts';
import type { LoadedMap } from './loaded-map.ts';
import { type MapErrorContext, mapError } from './map-error.ts';

/**
 * Puts the maps into maps of maps that the object initialises them with (init_map_in_map_slots in libbpf's src/libbpf.c).
 * @param fds descriptors by the map's name
 * @throws LoadError of phase `map`; AgentError
 */
export async function fillMapsOfMaps(
  maps: readonly LoadedMap[],
  fds: ReadonlyMap<string, number>,
  context: MapErrorContext,
): Promise<void> {
  for (const map of maps) {
    if (map.spec.type !== mapTypeNumber('prog_array')) await fill(map, fds, context);
  }
}

/**
 * Puts programs into program arrays that the object initialises them with (init_prog_array_slots in libbpf's src/libbpf.c). Elements of programs that were
 * not loaded stay empty: a tail call of them goes on behind the call.
 * @param fds descriptors by the program's name
 * @throws LoadError of phase `map`; AgentError
 */
export async function fillProgramArrays(
  maps: readonly LoadedMap[],
  fds: ReadonlyMap<string, number>,
  context: MapErrorContext,
): Promise<void> {
  for (const map of maps) {
    if (map.spec.type === mapTypeNumber('prog_array')) await fill(map, fds, context);
  }
}

async function fill(map: LoadedMap, fds: ReadonlyMap<string, number>, context: MapErrorContext): Promise<void> {
  for (const element of map.spec.initial ?? []) {
    const fd = fds.get(element.name);
    if (fd !== undefined) await put(map, element, fd, context);
  }
}

async function put(map: LoadedMap, element: InitialElement, fd: number, context: MapErrorContext): Promise<void> {
  try {
    await map.update(word(element.index), word(fd));
  } catch (error) {
    if (!(error instanceof ExplainedError) || error.code !== 'map-access') throw error;
    throw mapError(map.spec, context, `${element.kind} ${element.name} cannot be its element ${element.index}`, {
      ...(error.why === undefined ? {} : { summary: error.why }),
      fix:
        element.kind === 'map'
          ? 'type, sizes and flags of the elements have to be those that the map of maps declares (bpf_map_meta_equal)'
          : 'all programs of an array have to be of one type, and its max_entries have to go beyond the index',
    });
  }
}

function word(value: number): Uint8Array {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setUint32(0, value, true);
  return bytes;
}
