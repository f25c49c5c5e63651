import { rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { ExplainedError } from '../loader/errors.ts';
import type { MirrorSources } from './debian/mirror.ts';
import { DebianSource } from './debian/source.ts';
import type { Suite } from './debian/suites.ts';
import { noteUse } from './evict.ts';
import { diskFull, isDiskFull } from './free-space.ts';
import { noteUser } from './in-use.ts';
import { type Kernel, type KernelManifest, kernelFrom, madeFromOthers, readManifest } from './kernel.ts';
import { changeIndex, type IndexEntry, type KernelIndex, readIndex, rememberKernel } from './kernel-index.ts';
import type { KernelProgress, ResolvedKernel } from './kernel-source.ts';
import { KernelSources } from './kernel-sources.ts';
import { layOutKernel } from './kernel-tree.ts';
import { explainLocked, notLocked } from './lock-errors.ts';
import type { KernelLock } from './lock-file.ts';
import { type LookedUp, lookUpKernels } from './look-up.ts';
import { moduleName } from './module-selection.ts';
import { populateDirectory } from './populate.ts';
import { type DebianRequest, type Flavour, type KernelRequest, requestKey, requestName } from './request.ts';

export type { Kernel } from './kernel.ts';
export type { KernelProgress } from './kernel-source.ts';
export type { Flavour, KernelRequest } from './request.ts';

export interface KernelStoreOptions {
  /** The cache folder, see {@link cacheDirectory}. */
  readonly cache: string;
  readonly mirror?: MirrorSources;
  /** Never touch the network. */
  readonly offline?: boolean;
  /** Take exactly these kernels, and no other. */
  readonly lock?: KernelLock | undefined;
  readonly onProgress?: (progress: KernelProgress) => void;
  /** Lines that the user should see: warnings, and why something is fetched again. */
  readonly onMessage?: (message: string) => void;
  readonly signal?: AbortSignal;
  /** For tests and private archives. */
  readonly suites?: readonly Suite[];
  readonly keyring?: string;
}

/** A kernel of Debian's that {@link KernelStore.get} can give. */
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

/** How {@link KernelStore.get} gets a kernel. */
export interface GetOptions {
  /** Ask the source again, whatever is remembered. */
  readonly refresh?: boolean;
  /** Modules that are wanted by name; one that the kernel does not have is no error. */
  readonly modules?: readonly string[];
}

/**
 * Kernels that are ready to boot, from whichever source, kept in the cache. Any number of runs may use one cache at the same time.
 * What a request was resolved to once stays so, without a network, until `refresh` is asked for; kernels of this machine's own files are
 * looked at each time.
 */
export class KernelStore {
  readonly #options: KernelStoreOptions;
  readonly #debian: DebianSource;
  readonly #sources: KernelSources;

  constructor(options: KernelStoreOptions) {
    this.#options = options;
    const { onProgress: _, lock: __, ...source } = options;
    this.#debian = new DebianSource(source);
    this.#sources = new KernelSources({ ...options, debian: this.#debian });
  }

  /** The source of this store's packages, for other packages from the same lists. */
  get debian(): DebianSource {
    return this.#debian;
  }

  /** Where the store keeps what requests were resolved to. */
  get indexFile(): string {
    return join(this.#options.cache, 'kernels', 'index.json');
  }

  /** The folder of a kernel in the cache, whether it is there or not. */
  directoryOf(kernel: ResolvedKernel): string {
    return join(this.#options.cache, 'kernels', kernel.folder);
  }

  /**
   * The requests that a request stands for: one for each line where it is `debian: all`, oldest first, else itself.
   * @throws ExplainedError `not-locked`, and those of the Debian source
   */
  async expand(request: KernelRequest, options: { readonly refresh?: boolean } = {}): Promise<KernelRequest[]> {
    if (!('debian' in request) || request.debian !== 'all') return [request];
    const flavour = request.flavour ?? 'cloud';
    const lines = await this.#linesOf(flavour, options.refresh === true);
    return lines.map((debian) => ({ ...request, debian }));
  }

  /**
   * Every kernel that a source can give, the newest of each line, oldest first; sources that cannot say are refused.
   * @throws ExplainedError `no-catalogue`, and those of the source
   */
  async catalogue(
    request: KernelRequest,
    options: { readonly refresh?: boolean } = {},
  ): Promise<{ readonly request: KernelRequest; readonly line: string }[]> {
    return this.#sources.catalogue(request, this.#context(requestName(request), options.refresh === true));
  }

  /**
   * Every line of Debian's that can be had, newest first, each in its newest version; what is only in the cache is named if the lists cannot be had.
   *
   * @param flavour default: `cloud`
   */
  async list(flavour: Flavour = 'cloud', options: { readonly refresh?: boolean } = {}): Promise<AvailableKernel[]> {
    let kernels: readonly ResolvedKernel[];
    try {
      kernels = await this.#sources.debianLines(flavour, options);
    } catch (error) {
      const known = Object.values((await readIndex(this.indexFile)).kernels).map((entry) => entry.kernel);
      kernels = known.filter((kernel) => kernel.source === 'debian' && kernel.flavour === flavour);
      if (kernels.length === 0 || this.#options.offline !== true) throw error;
    }
    return Promise.all(
      [...kernels].reverse().map(async (kernel) => ({
        line: kernel.line,
        flavour,
        release: kernel.release ?? '',
        version: kernel.version,
        suite: kernel.origin.replace(/^Debian /, ''),
        bytes: kernel.files.reduce((sum, one) => sum + (one.role === 'kernel' ? (one.size ?? 0) : 0), 0),
        cached: await this.isCached(kernel),
      })),
    );
  }

  /**
   * What a request stands for, from the lock, from memory or from its source. Nothing is downloaded but lists.
   * @throws ExplainedError `not-locked`, and those of the source
   */
  async resolve(request: KernelRequest, options: { readonly refresh?: boolean } = {}): Promise<IndexEntry> {
    const key = requestKey(request);
    const { lock } = this.#options;
    if (lock !== undefined && !this.#sources.isLocal(request)) {
      const kernel = lock.kernels[key];
      if (kernel !== undefined) return { kernel, resolvedAt: 0 };
      throw notLocked(requestName(request), lock);
    }
    if (options.refresh !== true && !this.#sources.isLocal(request)) {
      const known = (await readIndex(this.indexFile)).kernels[key];
      if (known !== undefined) return known;
    }
    const asked = Date.now();
    const context = this.#context(requestName(request), options.refresh === true);
    return { kernel: await this.#sources.resolve(request, context), resolvedAt: asked };
  }

  /**
   * A kernel, from the cache if it is there and whole, else downloaded, checked and unpacked. A damaged one is said and rebuilt.
   *
   * @throws ExplainedError `not-cached`, `no-lists-offline`, `disk-full`, `digest-mismatch`, `network-failed`, `locked-kernel-gone` and
   *   others of the sources
   */
  async get(request: KernelRequest, options: GetOptions = {}): Promise<Kernel> {
    const name = requestName(request);
    try {
      await this.#debian.tidy();
      const entry = await this.resolve(request, options);
      return await this.#install(request, entry, options.modules ?? []).catch(async (error: unknown) => {
        const { lock } = this.#options;
        if (lock !== undefined && !this.#sources.isLocal(request)) throw explainLocked(error, name, entry.kernel, lock);
        if (!(error instanceof ExplainedError) || error.code !== 'package-gone') throw error;
        this.#debian.say(`${name}: the mirror has replaced Linux ${entry.kernel.version}: its lists are read again`);
        return this.#install(request, await this.resolve(request, { refresh: true }), options.modules ?? []);
      });
    } catch (error) {
      throw isDiskFull(error) ? diskFull(this.#options.cache, error) : error;
    }
  }

  /**
   * What requests stand for today, whatever is remembered or locked. Every remote source is asked anew; nothing is kept, and nothing is
   * downloaded but lists.
   * @throws ExplainedError `lists-incomplete`, and those of the sources but for kernels that they do not have
   */
  async lookUp(requests: readonly KernelRequest[]): Promise<LookedUp> {
    return lookUpKernels(requests, {
      sources: this.#sources,
      debian: this.#debian,
      context: (name) => this.#context(name, false),
    });
  }

  /** What is remembered of requests. */
  index(): Promise<KernelIndex> {
    return readIndex(this.indexFile);
  }

  /** Changes what is remembered of requests. */
  changeIndex(change: (index: KernelIndex) => KernelIndex): Promise<void> {
    return changeIndex(this.indexFile, change);
  }

  /** Whether a resolved kernel lies in the cache. */
  async isCached(kernel: ResolvedKernel): Promise<boolean> {
    return stat(join(this.directoryOf(kernel), 'kernel.json')).then(
      () => true,
      () => false,
    );
  }

  async #linesOf(flavour: Flavour, refresh: boolean): Promise<readonly string[]> {
    const { lock } = this.#options;
    if (lock !== undefined) {
      const locked = lock.lines[flavour];
      if (locked === undefined) throw notLocked(`debian: all (${flavour})`, lock);
      return locked;
    }
    const known = (await readIndex(this.indexFile)).lines[flavour];
    if (known !== undefined && known.length > 0 && !refresh) return known;
    const all: DebianRequest = { debian: 'all', flavour };
    this.#options.onProgress?.({ phase: 'lists', kernel: 'all', bytes: 0, totalBytes: null, bytesPerSecond: 0 });
    const lines = (await this.catalogue(all, { refresh })).map(({ line }) => line);
    await changeIndex(this.indexFile, (index) => ({ ...index, lines: { ...index.lines, [flavour]: lines } }));
    return lines;
  }

  async #install(request: KernelRequest, entry: IndexEntry, modules: readonly string[]): Promise<Kernel> {
    const { kernel } = entry;
    const name = requestName(request);
    const directory = this.directoryOf(kernel);
    await noteUser(directory);
    let manifest: KernelManifest | null = null;
    // What was built on purpose is kept, whether a program of this run wants it or not.
    const built = 'build' in request ? (request.build.modules ?? []) : [];
    let wanted = [...new Set([...built, ...modules].map(moduleName))];
    await populateDirectory(
      directory,
      async (temporary) => {
        const folder = join(temporary, '.parts');
        manifest = await this.#make(request, kernel, { temporary, folder, modules: wanted });
        await rm(folder, { recursive: true, force: true });
      },
      {
        onWait: this.#debian.onWait,
        signal: this.#options.signal,
        damageOf: async () => {
          const found = await readManifest(directory);
          if ('damage' in found) return found.damage;
          const strange = madeFromOthers(found, kernel);
          if (strange !== null) return `${strange} is not what is wanted now`;
          manifest = found;
          const missing = wanted.filter((module) => !found.modules.wanted.includes(module));
          wanted = [...new Set([...found.modules.wanted, ...wanted])].sort();
          return missing.length === 0 ? null : `${WANTS_MODULES}${missing.join(', ')}`;
        },
        onDamage: (damage) => {
          if (!damage.startsWith(WANTS_MODULES))
            this.#debian.say(`${name}: ${directory} is damaged (${damage}): it is built again`);
        },
      },
    );
    const whole = manifest ?? (await readManifest(directory));
    if ('damage' in whole) {
      throw new ExplainedError('kernel-damaged', `the kernel ${name} in the cache is damaged`, {
        where: directory,
        why: whole.damage,
      });
    }
    await noteUse(directory);
    if (entry.resolvedAt !== 0) await rememberKernel(this.indexFile, requestKey(request), entry);
    return kernelFrom(whole, directory, name, entry.resolvedAt);
  }

  async #make(
    request: KernelRequest,
    kernel: ResolvedKernel,
    place: { readonly temporary: string; readonly folder: string; readonly modules: readonly string[] },
  ): Promise<KernelManifest> {
    const { refresh: _, ...context } = this.#context(requestName(request), false);
    const { temporary, folder, modules } = place;
    const parts = await this.#sources.install(kernel, request, { ...context, folder, modules });
    return layOutKernel(parts, temporary, kernel, { folder, modules, signal: this.#options.signal });
  }

  #context(name: string, refresh: boolean) {
    return {
      name,
      refresh,
      onProgress: this.#options.onProgress ?? (() => {}),
      say: (message: string) => this.#debian.say(message),
      signal: this.#options.signal,
    };
  }
}

/** Not damage, but treated alike: modules that are not kept any more come out of the packages again. */
const WANTS_MODULES = 'lacks modules that are wanted: ';
