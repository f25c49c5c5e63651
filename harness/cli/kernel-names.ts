import type { KernelIndex } from '../../kernels/kernel-index.ts';
import { type Flavour, type KernelRequest, requestKey, requestName } from '../../kernels/request.ts';
import type { KernelStore } from '../../kernels/store.ts';
import type { Matrix } from '../config/load.ts';
import { ConfigError, unknownWord } from '../config/yaml-file.ts';
import { nameMatches } from '../run/select.ts';

/** A kernel, and how it is called here. */
export interface NamedKernel {
  readonly name: string;
  readonly request: KernelRequest;
}

/** Every kernel of a matrix, one for each line where it says `debian: all`. @throws ExplainedError as {@link KernelStore.expand} does */
export async function kernelsOfMatrix(
  matrix: Pick<Matrix, 'kernels'> | undefined,
  store: Pick<KernelStore, 'expand'>,
): Promise<NamedKernel[]> {
  const found = new Map<string, NamedKernel>();
  for (const { request, name } of matrix?.kernels ?? []) {
    for (const one of await store.expand(request)) {
      const key = requestKey(one);
      if (!found.has(key)) found.set(key, { name: name ?? requestName(one), request: one });
    }
  }
  return [...found.values()];
}

/** Expands `debian: all` to the lines that are remembered, so that nobody is asked; to nothing if there are none. */
export function fromMemory(index: KernelIndex): Pick<KernelStore, 'expand'> {
  return {
    expand: async (request) => {
      if (!('debian' in request) || request.debian !== 'all') return [request];
      const lines = index.lines[request.flavour ?? 'cloud'] ?? [];
      return lines.map((debian) => ({ ...request, debian }));
    },
  };
}

/**
 * The kernels that names stand for: of the matrix (`*` is a wildcard), else Debian's: a line such as `6.12`, `6.12-generic`, `latest`, or an exact version.
 *
 * @param flavour for lines without one
 * @throws ConfigError `no-such-kernel`
 */
export function findKernels(names: readonly string[], known: readonly NamedKernel[], flavour: Flavour): NamedKernel[] {
  return names.flatMap((name) => {
    const wanted = requestOf(name, flavour);
    const ofMatrix = known.filter((one) => nameMatches(one.name, [name]));
    // A flavour that was asked for is not the one that a line of the matrix has.
    if (ofMatrix.length > 0 && (wanted === null || flavour === 'cloud')) return ofMatrix;
    if (wanted !== null) return [{ name: requestName(wanted), request: wanted }];
    throw noSuchKernel(name, [...known.map((one) => one.name), 'latest']);
  });
}

/** The error for a name that stands for nothing. */
export function noSuchKernel(name: string, known: readonly string[]): ConfigError {
  return new ConfigError('no-such-kernel', unknownWord('kernel', name, known), {
    fix: 'name one of the matrix, a line such as 6.12 or 6.12-generic, `latest`, an exact version, or a folder that `kernels list` shows',
  });
}

function requestOf(name: string, flavour: Flavour): KernelRequest | null {
  const [, line, own] = /^(\d+\.\d+|latest|newest)(?:-(cloud|generic|rt))?$/.exec(name) ?? [];
  if (line !== undefined) return { debian: line, flavour: isFlavour(own) ? own : flavour };
  const isRelease = name.endsWith('amd64');
  return !isRelease && /^\d+\.\d+\.\d+\S*-\d\S*$/.test(name) ? { debian: name, flavour } : null;
}

function isFlavour(text: string | undefined): text is Flavour {
  return text === 'cloud' || text === 'generic' || text === 'rt';
}
