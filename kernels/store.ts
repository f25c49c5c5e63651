import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { ExplainedError } from '../loader/errors.ts';
import { installKernel, type KernelProgress } from './debian/install.ts';
import type { MirrorSources } from './debian/mirror.ts';
import { type Flavour, newestOfEachLine, type ResolvedKernel, resolveLine } from './debian/resolve.ts';
import { DebianSource } from './debian/source.ts';
import type { Suite } from './debian/suites.ts';
import { diskFull, isDiskFull } from './free-space.ts';
import { type Kernel, type KernelManifest, readManifest } from './kernel.ts';
import { type IndexEntry, readIndex, rememberKernel } from './kernel-index.ts';
import { populateDirectory } from './populate.ts';

export type { KernelProgress } from './debian/install.ts';
export type { Flavour } from './debian/resolve.ts';
export type { Kernel } from './kernel.ts';

/** Which kernel is wanted. */
export interface KernelRequest {
  /** A kernel line, such as `6.12`, or `newest`. */
  readonly debian: string;
  /** Default: `cloud`. */
  readonly flavour?: Flavour;
}

/** A kernel that {@link KernelStore.get} can give. */
export interface AvailableKernel {
  readonly line: string;
  readonly flavour: Flavour;
  readonly release: string;
  readonly version: string;
  readonly suite: string;
  /** What has to be downloaded, in bytes, if it is not cached. */
  readonly bytes: number;
  /** Whether this very version is unpacked in the cache. */
  readonly cached: boolean;
}

export interface KernelStoreOptions {
  /** The cache folder, see {@link cacheDirectory}. */
  readonly cache: string;
  readonly mirror?: MirrorSources;
  /** Never touch the network. */
  readonly offline?: boolean;
  readonly onProgress?: (progress: KernelProgress) => void;
  /** Lines that the user should see: warnings, and why something is fetched again. */
  readonly onMessage?: (message: string) => void;
  readonly signal?: AbortSignal;
  /** For tests and private archives. */
  readonly suites?: readonly Suite[];
  readonly keyring?: string;
}

/**
 * Kernels that are ready to boot, from Debian, kept in the cache. Any number of runs may use one cache at the same time.
 * A line that was looked up once stays at the version it had then, without a network, until `refresh` is asked for.
 */
export class KernelStore {
  readonly #options: KernelStoreOptions;
  readonly #debian: DebianSource;

  constructor(options: KernelStoreOptions) {
    this.#options = options;
    const { onProgress: _, ...source } = options;
    this.#debian = new DebianSource(source);
  }

  /** The source of this store's packages, for other packages from the same lists. */
  get debian(): DebianSource {
    return this.#debian;
  }

  /**
   * Every line that can be had, newest first, each in its newest version; what is only in the cache is named if the lists cannot be had.
   *
   * @param flavour default: `cloud`
   */
  async list(flavour: Flavour = 'cloud', options: { readonly refresh?: boolean } = {}): Promise<AvailableKernel[]> {
    let kernels: ResolvedKernel[];
    try {
      kernels = newestOfEachLine((await this.#debian.lists(options)).packages, flavour);
    } catch (error) {
      const known = Object.values(await readIndex(this.#indexFile()));
      kernels = known.map((entry) => entry.kernel).filter((kernel) => kernel.flavour === flavour);
      if (kernels.length === 0 || this.#options.offline !== true) throw error;
    }
    return Promise.all(
      kernels.map(async (kernel) => ({
        line: kernel.line,
        flavour: kernel.flavour,
        release: kernel.release,
        version: kernel.version,
        suite: kernel.suite,
        bytes: kernel.packages.reduce((sum, one) => sum + one.size, 0),
        cached: await stat(join(this.#directory(kernel), 'kernel.json')).then(
          () => true,
          () => false,
        ),
      })),
    );
  }

  /**
   * A kernel, from the cache if it is there and whole, else downloaded, checked and unpacked. A damaged one is said and rebuilt.
   *
   * @param options `refresh`: look the line up on the mirror again
   * @throws ExplainedError `bad-kernel-request`, `kernel-line-unknown`, `not-cached`, `no-lists-offline`, `disk-full`, `digest-mismatch`,
   *   `network-failed` and others of the Debian source
   */
  async get(request: KernelRequest, options: { readonly refresh?: boolean } = {}): Promise<Kernel> {
    if (!/^(\d+\.\d+|newest)$/.test(request.debian)) {
      throw new ExplainedError('bad-kernel-request', `not a kernel line: ${JSON.stringify(request.debian)}`, {
        fix: 'Name a line as in `6.12`, or `newest`.',
      });
    }
    const flavour = request.flavour ?? 'cloud';
    const name = flavour === 'cloud' ? request.debian : `${request.debian}-${flavour}`;
    try {
      await this.#debian.tidy();
      const known = (await readIndex(this.#indexFile()))[name];
      if (known !== undefined && options.refresh !== true) return await this.#install(name, known);
      const entry = await this.#resolve(name, request.debian, flavour, options.refresh === true);
      return await this.#install(name, entry).catch(async (error: unknown) => {
        if (!(error instanceof ExplainedError) || error.code !== 'package-gone') throw error;
        this.#debian.say(`${name}: the mirror has replaced Linux ${entry.kernel.version}: its lists are read again`);
        return this.#install(name, await this.#resolve(name, request.debian, flavour, true));
      });
    } catch (error) {
      throw isDiskFull(error) ? diskFull(this.#options.cache, error) : error;
    }
  }

  async #resolve(name: string, line: string, flavour: Flavour, refresh: boolean): Promise<IndexEntry> {
    this.#options.onProgress?.({ phase: 'lists', kernel: name, bytes: 0, totalBytes: null, bytesPerSecond: 0 });
    const lists = await this.#debian.lists({ refresh });
    try {
      return { kernel: resolveLine(lists.packages, { line, flavour }), resolvedAt: lists.fetchedAt };
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

  async #install(name: string, entry: IndexEntry): Promise<Kernel> {
    const directory = this.#directory(entry.kernel);
    let manifest: KernelManifest | null = null;
    await populateDirectory(
      directory,
      async (temporary) => {
        const onProgress = this.#options.onProgress;
        manifest = await installKernel(this.#debian, entry.kernel, temporary, name, onProgress ?? (() => {}));
      },
      {
        onWait: this.#debian.onWait,
        signal: this.#options.signal,
        damageOf: async () => {
          const found = await readManifest(directory);
          if ('damage' in found) return found.damage;
          manifest = found;
          return null;
        },
        onDamage: (damage) => this.#debian.say(`${name}: ${directory} is damaged (${damage}): it is built again`),
      },
    );
    const whole = manifest ?? (await readManifest(directory));
    if ('damage' in whole) {
      throw new ExplainedError('kernel-damaged', `the kernel ${name} in the cache is damaged`, {
        where: directory,
        why: whole.damage,
      });
    }
    await rememberKernel(this.#indexFile(), name, entry);
    return toKernel(name, directory, whole, entry.resolvedAt);
  }

  #directory(kernel: ResolvedKernel): string {
    return join(this.#options.cache, 'kernels', `debian-${kernel.line}-${kernel.flavour}-${kernel.version}`);
  }

  #indexFile(): string {
    return join(this.#options.cache, 'kernels', 'index.json');
  }
}

function toKernel(name: string, directory: string, manifest: KernelManifest, resolvedAt: number): Kernel {
  const absolute = (path: string | null): string | null => (path === null ? null : join(directory, path));
  return {
    name,
    line: manifest.line,
    release: manifest.release,
    version: manifest.version,
    flavour: manifest.flavour,
    directory,
    image: join(directory, manifest.image),
    config: absolute(manifest.config),
    systemMap: absolute(manifest.systemMap),
    sha256: manifest.files[manifest.image] ?? '',
    packages: manifest.packages.map(({ name: packageName, version, sha256 }) => ({
      name: packageName,
      version,
      sha256,
    })),
    source: `Debian ${manifest.suite}`,
    resolvedAt,
  };
}
