import { ExplainedError } from '../../loader/errors.ts';
import type { InstallContext, KernelParts, KernelSource, ResolveContext, ResolvedKernel } from '../kernel-source.ts';
import type { DebianRequest, Flavour } from '../request.ts';
import { describeDebianKernel, installDebianKernel } from './install.ts';
import { newestOfEachLine, resolveLine } from './resolve.ts';
import type { DebianSource } from './source.ts';

/** Kernels that a Debian mirror serves today. */
export class DebianKernels implements KernelSource<DebianRequest> {
  readonly #packages: DebianSource;

  constructor(packages: DebianSource) {
    this.#packages = packages;
  }

  /**
   * The newest kernel of a line, or an exact version.
   * @throws ExplainedError `kernel-line-unknown`, and those of {@link DebianSource.lists}
   */
  async resolve(request: DebianRequest, { refresh, name, onProgress }: ResolveContext): Promise<ResolvedKernel> {
    onProgress({ phase: 'lists', kernel: name, bytes: 0, totalBytes: null, bytesPerSecond: 0 });
    const lists = await this.#packages.lists({ refresh });
    const flavour = request.flavour ?? 'cloud';
    try {
      return {
        ...describeDebianKernel(resolveLine(lists.packages, { line: request.debian, flavour }), 'debian'),
        extra: {},
      };
    } catch (error) {
      if (!(error instanceof ExplainedError) || lists.missing.length === 0) throw error;
      const missing = lists.missing.map(({ suite, why }) => `${suite} (${why})`).join(', ');
      throw new ExplainedError(error.code, error.message, {
        ...(error.where === undefined ? {} : { where: error.where }),
        why: `${error.why ?? ''}; these suites could not be read: ${missing}`,
        ...(error.fix === undefined ? {} : { fix: error.fix }),
      });
    }
  }

  /** Every line that the mirror has, oldest first. @throws ExplainedError as {@link DebianSource.lists} does */
  async lines(flavour: Flavour, options: { readonly refresh?: boolean } = {}): Promise<ResolvedKernel[]> {
    const { packages } = await this.#packages.lists(options);
    return newestOfEachLine(packages, flavour)
      .map((kernel) => ({ ...describeDebianKernel(kernel, 'debian'), extra: {} }))
      .reverse();
  }

  /** @throws ExplainedError as {@link installDebianKernel} and {@link DebianSource.fetch} do */
  install(kernel: ResolvedKernel, _request: DebianRequest, context: InstallContext): Promise<KernelParts> {
    return installDebianKernel(kernel, context, (one, onBytes) => this.#packages.fetch(one, onBytes));
  }
}
