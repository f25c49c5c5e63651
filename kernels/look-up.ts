import { ExplainedError } from '../loader/errors.ts';
import type { DebianSource } from './debian/source.ts';
import type { ResolveContext, ResolvedKernel } from './kernel-source.ts';
import type { KernelSources } from './kernel-sources.ts';
import { type DebianRequest, type Flavour, type KernelRequest, requestKey, requestName } from './request.ts';

/** What sources say today. */
export interface LookedUp {
  /** By `requestKey`; null: the source does not have it (any more). Requests for files of this machine are not there. */
  readonly kernels: ReadonlyMap<string, { readonly request: KernelRequest; readonly kernel: ResolvedKernel | null }>;
  /** The lines that `debian: all` stands for, oldest first, by flavour. */
  readonly lines: Readonly<Partial<Record<Flavour, readonly string[]>>>;
}

/** What {@link lookUpKernels} asks. */
export interface LookUpOptions {
  readonly sources: KernelSources;
  readonly debian: DebianSource;
  /** For a request of this name. */
  readonly context: (name: string) => ResolveContext;
}

/**
 * Asks sources anew what requests stand for. Debian's lists are read once for all of them.
 * @throws ExplainedError `lists-incomplete`, and those of the sources but for kernels that they do not have
 */
export async function lookUpKernels(requests: readonly KernelRequest[], options: LookUpOptions): Promise<LookedUp> {
  const { sources } = options;
  const remote = requests.filter((request) => !sources.isLocal(request));
  const ofDebian = remote.find((request) => 'debian' in request);
  if (ofDebian !== undefined) await readListsAnew(requestName(ofDebian), options);
  const lines: Partial<Record<Flavour, readonly string[]>> = {};
  const kernels = new Map<string, { request: KernelRequest; kernel: ResolvedKernel | null }>();
  for (const request of remote) {
    if ('debian' in request && request.debian === 'all') {
      const flavour = request.flavour ?? 'cloud';
      const found = await sources.debianLines(flavour, {});
      lines[flavour] = found.map(({ line }) => line);
      for (const kernel of found) {
        const one: DebianRequest = { ...request, debian: kernel.line };
        kernels.set(requestKey(one), { request: one, kernel });
      }
    } else if (!kernels.has(requestKey(request))) {
      kernels.set(requestKey(request), { request, kernel: await ask(request, options) });
    }
  }
  return { kernels, lines };
}

/** A suite that cannot be reached for the moment must not make its kernels look as if Debian had dropped them. */
async function readListsAnew(name: string, { debian, context }: LookUpOptions): Promise<void> {
  context(name).onProgress({ phase: 'lists', kernel: name, bytes: 0, totalBytes: null, bytesPerSecond: 0 });
  const { complete, missing } = await debian.lists({ refresh: true });
  if (complete) return;
  throw new ExplainedError('lists-incomplete', 'not all of the package lists can be read', {
    why: missing.map(({ suite, why }) => `${suite}: ${why}`).join('; '),
    fix: 'Nothing was changed: try again later, or use another mirror.',
  });
}

async function ask(request: KernelRequest, { sources, context }: LookUpOptions): Promise<ResolvedKernel | null> {
  try {
    // Debian's lists were read anew already.
    return await sources.resolve(request, { ...context(requestName(request)), refresh: !('debian' in request) });
  } catch (error) {
    if (error instanceof ExplainedError && UNKNOWN.has(error.code)) return null;
    throw error;
  }
}

/** Codes with which sources say that they do not have a kernel. */
const UNKNOWN: ReadonlySet<string> = new Set(['kernel-line-unknown', 'oci-tag-unknown', 'oci-repository-unknown']);
