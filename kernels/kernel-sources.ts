import { mkdir } from 'node:fs/promises';
import { ExplainedError } from '../loader/errors.ts';
import { BuildSource } from './build/build-source.ts';
import { DebianKernels } from './debian/kernels.ts';
import type { DebianSource } from './debian/source.ts';
import { SnapshotKernels } from './debian-snapshot/kernels.ts';
import type { InstallContext, KernelParts, KernelSource, ResolveContext, ResolvedKernel } from './kernel-source.ts';
import { HostKernels } from './local/host-kernels.ts';
import { ImageKernels } from './local/image-kernels.ts';
import { TreeKernels } from './local/tree-kernels.ts';
import { OciKernels } from './oci/kernels.ts';
import { type Flavour, type KernelRequest, type SourceName, sourceOf } from './request.ts';
import { MainlineKernels } from './ubuntu-mainline/kernels.ts';

/** What the sources are made with. */
export interface SourcesOptions {
  readonly cache: string;
  readonly debian: DebianSource;
  /** Only what lies on this machine may be used. */
  readonly offline?: boolean;
  readonly signal?: AbortSignal;
}

/** Every source of kernels, behind one face. */
export class KernelSources {
  readonly #offline: boolean;
  readonly #debian: DebianKernels;
  readonly #snapshot = new SnapshotKernels();
  readonly #mainline: MainlineKernels;
  readonly #oci = new OciKernels();
  readonly #image = new ImageKernels();
  readonly #host = new HostKernels();
  readonly #tree: TreeKernels;
  readonly #build: BuildSource;

  constructor(options: SourcesOptions) {
    this.#offline = options.offline === true;
    this.#debian = new DebianKernels(options.debian);
    this.#mainline = new MainlineKernels({ cache: options.cache });
    this.#tree = new TreeKernels({ cache: options.cache, debian: options.debian });
    this.#build = new BuildSource({ cache: options.cache, debian: options.debian });
  }

  /** Whether a request names files of this machine, which may change at any time: it is never remembered. */
  isLocal(request: KernelRequest): boolean {
    return LOCAL.has(sourceOf(request));
  }

  /** The exact kernel that a request stands for. @throws ExplainedError as the source does, `not-cached` */
  async resolve(request: KernelRequest, context: ResolveContext): Promise<ResolvedKernel> {
    return this.#sourceOf(request, context.name).resolve(context);
  }

  /** Makes a kernel's parts in `context.folder`. @throws ExplainedError as the source does, `not-cached` */
  async install(kernel: ResolvedKernel, request: KernelRequest, context: InstallContext): Promise<KernelParts> {
    const source = this.#sourceOf(request, context.name);
    await mkdir(context.folder, { recursive: true });
    return source.install(kernel, context);
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
    if ('debian-snapshot' in request) {
      const { flavour } = request;
      const lines = await this.#snapshot.lines(context);
      const withFlavour = flavour === undefined ? {} : { flavour };
      return lines.map((line) => ({ request: { 'debian-snapshot': line, ...withFlavour }, line }));
    }
    if ('ubuntu-mainline' in request) {
      const lines = await this.#mainline.lines(context);
      return lines.map((line) => ({ request: { 'ubuntu-mainline': line }, line }));
    }
    throw new ExplainedError('no-catalogue', `${sourceOf(request)} cannot say which kernels it has`, {
      fix: 'Name the kernels in a matrix.',
    });
  }

  #sourceOf(request: KernelRequest, name: string): BoundSource {
    // Debian's has packages that were downloaded before.
    if ('debian' in request) return bind(this.#debian, request);
    if ('image' in request) return bind(this.#image, request);
    if ('tree' in request) return bind(this.#tree, request);
    if ('host' in request) return bind(this.#host, request);
    if ('build' in request) return bind(this.#build, request);
    if (this.#offline) {
      throw new ExplainedError('not-cached', `${name} is not in the cache`, {
        fix: 'Run once with a network.',
      });
    }
    if ('oci' in request) return bind(this.#oci, request);
    if ('debian-snapshot' in request) return bind(this.#snapshot, request);
    return bind(this.#mainline, request);
  }
}

const LOCAL: ReadonlySet<SourceName> = new Set(['image', 'tree', 'host', 'build']);

/** A source with the request that it is asked about. */
interface BoundSource {
  resolve(context: ResolveContext): Promise<ResolvedKernel>;
  install(kernel: ResolvedKernel, context: InstallContext): Promise<KernelParts>;
}

function bind<R extends KernelRequest>(source: KernelSource<R>, request: R): BoundSource {
  return {
    resolve: (context) => source.resolve(request, context),
    install: (kernel, context) => source.install(kernel, request, context),
  };
}
