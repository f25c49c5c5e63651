import type { CachedKernel } from '../../kernels/inventory.ts';
import { requestKey } from '../../kernels/request.ts';
import { nameMatches } from '../run/select.ts';
import type { NamedKernel } from './kernel-names.ts';

/**
 * The kernels of the cache that a name stands for, `*` being a wildcard: by folder, release, exact version, the name in the matrix, or a line of
 * Debian's (`6.12`, `6.12-generic`), which is all versions of it.
 */
export function findCached(
  name: string,
  cached: readonly CachedKernel[],
  ofMatrix: readonly NamedKernel[],
): CachedKernel[] {
  const keys = ofMatrix.filter((one) => nameMatches(one.name, [name])).map(({ request }) => requestKey(request));
  return cached.filter(
    (kernel) =>
      kernel.keys.some((key) => keys.includes(key)) || namesOf(kernel).some((own) => nameMatches(own, [name])),
  );
}

/** All that a kernel of the cache answers to, but for its name in a matrix. */
export function namesOf({ folder, manifest, keys }: CachedKernel): string[] {
  if (manifest === null) return [folder];
  const { source, line, flavour, release, version } = manifest;
  const suffix = flavour === null || flavour === 'cloud' ? '' : `-${flavour}`;
  const latest = keys.includes(requestKey({ debian: 'latest', flavour: undefined })) ? ['latest'] : [];
  return [folder, release, version, ...(source === 'debian' ? [`${line}${suffix}`] : []), ...latest];
}
