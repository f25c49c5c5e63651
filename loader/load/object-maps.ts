import { createMap, type MapContext } from '../maps/create-map.ts';
import { fillMapsOfMaps } from '../maps/fill-maps.ts';
import type { LoadedMap } from '../maps/loaded-map.ts';
import { type MapToPin, pinPath, reusePinned } from '../maps/pinned-map.ts';
import type { MapSpec } from '../object/spec.ts';

/** The maps of an object in the kernel. Filled in as they come, so that whoever sees an error can close them. */
export interface ObjectMaps {
  readonly maps: LoadedMap[];
  /** New maps that are to be pinned once all else has gone well. */
  readonly toPin: MapToPin[];
}

/**
 * Creates maps, or takes what is pinned in their place, and then puts maps into maps of maps. Maps that were taken keep their elements.
 * @throws LoadError of phase `map`; AgentError
 */
export async function createMaps(
  specs: readonly MapSpec[],
  pinFolder: string,
  context: MapContext,
  { maps, toPin }: ObjectMaps,
): Promise<void> {
  const created: LoadedMap[] = [];
  for (const spec of specs) {
    const path = pinPath(spec, pinFolder);
    const reused = path === null ? null : await reusePinned(spec, path, context);
    const map = reused ?? (await createMap(spec, context));
    maps.push(map);
    if (reused === null) created.push(map);
    if (reused === null && path !== null) toPin.push({ map, path });
  }
  await fillMapsOfMaps(created, new Map(maps.map((map) => [map.spec.name, map.fd])), context);
}
