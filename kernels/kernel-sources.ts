import { mkdir } from 'node:fs/promises';
import { ExplainedError } from '../loader/errors.ts';
import { DebianKernels } from './debian/kernels.ts';
import type { DebianSource } from './debian/source.ts';
import type { InstallContext, KernelParts, ResolveContext, ResolvedKernel } from './kernel-source.ts';
import { type Flavour, type KernelRequest, sourceOf } from './request.ts';

/** What the sources are made with. */
export interface SourcesOptions {
  readonly cache: string;
  readonly debian: DebianSource;
  readonly offline?: boolean;
  readonly signal?: AbortSignal;
}

/** Every source of kernels, each made when it is first asked. */
export class KernelSources {
  readonly #debian: DebianKernels;

  constructor(options: SourcesOptions) {
    this.#debian = new DebianKernels(options.debian);
  }

  /** Whether a request names files of this machine, which may change at any time: it is never remembered. */
  isLocal(request: KernelRequest): boolean {
    return LOCAL.has(sourceOf(request));
  }

  /** The exact kernel that a request stands for. @throws ExplainedError as the source does */
  async resolve(request: KernelRequest, context: ResolveContext): Promise<ResolvedKernel> {
    if ('debian' in request) return this.#debian.resolve(request, context);
    throw unavailable(request);
  }

  /** Makes a kernel's parts in `context.folder`. @throws ExplainedError as the source does */
  async install(kernel: ResolvedKernel, request: KernelRequest, context: InstallContext): Promise<KernelParts> {
    await mkdir(context.folder, { recursive: true });
    if ('debian' in request) return this.#debian.install(kernel, request, context);
    throw unavailable(request);
  }

  /** Every line of Debian's mirror, oldest first. @throws ExplainedError as the Debian source does */
  debianLines(flavour: Flavour, options: { readonly refresh?: boolean }): Promise<ResolvedKernel[]> {
    return this.#debian.lines(flavour, options);
  }

  /** Every kernel that a source has, the newest of each line, oldest first. @throws ExplainedError `no-catalogue` */
  async catalogue(
    request: KernelRequest,
    context: ResolveContext,
  ): Promise<{ readonly request: KernelRequest; readonly line: string }[]> {
    if ('debian' in request) {
      const flavour = request.flavour ?? 'cloud';
      const kernels = await this.#debian.lines(flavour, { refresh: context.refresh });
      return kernels.map(({ line }) => ({ request: { debian: line, flavour }, line }));
    }
    throw new ExplainedError('no-catalogue', `${sourceOf(request)} cannot say which kernels it has`, {
      fix: 'Name the kernels in a matrix.',
    });
  }
}

const LOCAL: ReadonlySet<string> = new Set(['image', 'tree', 'host', 'build']);

function unavailable(request: KernelRequest): ExplainedError {
  return new ExplainedError('source-unavailable', `kernels from ${sourceOf(request)} cannot be had`);
}
