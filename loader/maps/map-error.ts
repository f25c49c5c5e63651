import { errnoName } from '../agent/errno.ts';
import { LoadError } from '../load-error.ts';
import type { MapSpec, ObjectContent } from '../object/spec.ts';
import type { ExternResolution } from '../resolve/outcome.ts';
import { faultOf, needsTypes } from './map-demands.ts';

/** What errors about maps name beside the map. */
export interface MapErrorContext {
  readonly object: ObjectContent;
  readonly resolutions: readonly ExternResolution[];
}

/** What is known of the reason. */
export interface MapFault {
  readonly errno?: number;
  readonly summary?: string;
  readonly fix?: string;
}

/** A LoadError of phase `map`. */
export function mapError(spec: MapSpec, context: MapErrorContext, what: string, fault: MapFault = {}): LoadError {
  return new LoadError('map', what, {
    object: `${context.object.name}, map ${spec.name}`,
    resolutions: context.resolutions,
    ...fault,
  });
}

/** The error of a map that the kernel does not create: with what is wrong about it, as far as that can be told. */
export function notCreated(spec: MapSpec, context: MapErrorContext, errno: number): LoadError {
  const fault = errnoName(errno) === 'EINVAL' ? faultOf(spec) : null;
  return mapError(spec, context, 'the kernel does not create the map', {
    errno,
    ...(fault === null ? { fix: fixFor(spec, context, errno) } : { summary: fault }),
  });
}

function fixFor(spec: MapSpec, context: MapErrorContext, errno: number): string {
  if (errnoName(errno) === 'EPERM') {
    return 'give the agent CAP_BPF (or root), and on kernels before 5.11 a higher limit on locked memory';
  }
  if (['E2BIG', 'ENOMEM'].includes(errnoName(errno))) {
    return 'key and value sizes times max_entries, and for each CPU in per-CPU maps, are more than the kernel gives a map: make them smaller';
  }
  if (needsTypes(spec) && (context.object.btf === null || spec.keyTypeId === null || spec.valueTypeId === null)) {
    return 'such storage takes the types of key and value: declare them with __type(), and compile with -g';
  }
  return 'check type, sizes, entries and flags of the map, and whether this kernel has maps of the type: kernel.features.mapType(name)';
}
