import { type KernelRequest, requestName, sourceOf } from '../../kernels/request.ts';
import type { KernelStore } from '../../kernels/store.ts';
import type { MatrixKernel } from '../config/kernel-entries.ts';
import type { DatedKernel } from '../results/kernel-axes.ts';

/** A kernel that nobody has looked up yet, with its place in history as far as its request tells. */
export interface DatedRequest extends DatedKernel {
  readonly request: KernelRequest;
}

/**
 * Every kernel that a matrix asks for whose version its request names, without asking any source: a line, an exact version, or the tag of an
 * image. `debian: all` counts as the lines it stands for.
 *
 * @returns those, and the names of the others
 */
export async function dateRequests(
  kernels: readonly MatrixKernel[],
  store: Pick<KernelStore, 'expand'>,
): Promise<{ readonly dated: readonly DatedRequest[]; readonly undated: readonly MatrixKernel[] }> {
  const dated: DatedRequest[] = [];
  const undated: MatrixKernel[] = [];
  for (const { request, name } of kernels) {
    for (const one of await store.expand(request)) {
      const version = versionIn(one);
      if (version === null) undated.push({ request: one, name });
      else dated.push(dateRequest(one, version, name));
    }
  }
  return { dated, undated };
}

/** A request of a known version. */
export function dateRequest(
  request: KernelRequest,
  version: string,
  name: string = requestName(request),
): DatedRequest {
  const flavour = 'debian' in request || 'debian-snapshot' in request ? (request.flavour ?? 'cloud') : null;
  const source = 'oci' in request ? request.oci : sourceOf(request);
  return { request, name, kind: sourceOf(request), flavour, release: null, version, source };
}

function versionIn(request: KernelRequest): string | null {
  const text =
    'debian' in request
      ? request.debian
      : 'debian-snapshot' in request
        ? request['debian-snapshot']
        : 'ubuntu-mainline' in request
          ? request['ubuntu-mainline']
          : 'oci' in request
            ? (/:([^:/@]+)(@|$)/.exec(request.oci)?.[1] ?? '')
            : '';
  return /^v?\d+\.\d/.test(text) ? text : null;
}
