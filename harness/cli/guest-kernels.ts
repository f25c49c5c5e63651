import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { type Kernel, KernelStore } from '../../kernels/store.ts';
import { locateVirtmeNg } from '../../kernels/virtme-ng.ts';
import { buildAgent } from '../../loader/agent/build.ts';
import { ExplainedError } from '../../loader/errors.ts';
import { loadMatrix, type Matrix } from '../config/load.ts';
import { ConfigError } from '../config/yaml-file.ts';
import { type Guest, openGuest } from '../guest/open-guest.ts';
import { EvidenceFolder } from '../run/evidence.ts';
import { guestObserver } from '../run/guest-observer.ts';
import { selectKernels } from '../run/select.ts';
import { requireTools } from '../setup/install.ts';
import { type Accelerator, chooseAccelerator } from '../vm/accelerator.ts';
import { DEFAULT_DEADLINES, type Deadlines } from '../vm/machine-parts.ts';
import { prepareMachine } from '../vm/prepare.ts';
import { lockOf } from './open-store.ts';
import { describeProgress } from './progress.ts';

/** Options that `exec` and `shell` have in common. */
export interface GuestOptions {
  readonly matrix?: string;
  readonly memory?: number;
  readonly accel: 'auto' | 'kvm' | 'tcg';
  readonly append?: string[];
  readonly debianMirror?: string;
  /** False with --no-templates. */
  readonly templates: boolean;
  readonly locked?: true;
  /** Default: those of the matrix. */
  readonly deadlines?: Deadlines;
}

/** A kernel that was asked for. */
export interface GuestKernel {
  /** As in the matrix, or as it was asked for. */
  readonly name: string;
  readonly kernel: Kernel;
}

const DEFAULT_MATRIX = 'matrix.yaml';
const DEFAULT_MEMORY_MIB = 512;
const DEFAULT_CPUS = 2;
const PROGRESS_INTERVAL_MS = 2000;

/** Gets kernels and opens guests of them. */
export class GuestKernels {
  readonly #options: GuestOptions;
  readonly #cache: string;
  readonly #store: KernelStore;
  readonly #matrix: Matrix | undefined;
  readonly #evidence: Promise<EvidenceFolder>;
  readonly #tools: Promise<{ agent: string; virtme: Awaited<ReturnType<typeof locateVirtmeNg>> }>;
  #accelerator: Promise<Accelerator> | undefined;

  private constructor(options: GuestOptions, cache: string, store: KernelStore, matrix: Matrix | undefined) {
    this.#options = options;
    this.#cache = cache;
    this.#store = store;
    this.#matrix = matrix;
    const name = `${new Date().toISOString().replaceAll(':', '-')}-${process.pid}`;
    this.#evidence = EvidenceFolder.create(join(cache, 'guests'), name);
    this.#tools = this.#findTools();
    // Both are awaited when a guest is opened.
    this.#evidence.catch(() => undefined);
    this.#tools.catch(() => undefined);
  }

  /**
   * Reads the matrix, if there is one here or one was named, and finds the tools.
   * @throws ConfigError for a matrix that is wrong; ExplainedError for tools that are missing
   */
  static async create(options: GuestOptions, cache: string, signal: AbortSignal): Promise<GuestKernels> {
    requireTools();
    const path = options.matrix ?? (existsSync(DEFAULT_MATRIX) ? DEFAULT_MATRIX : undefined);
    const matrix = path === undefined ? undefined : await loadMatrix(resolve(path));
    const lock = await lockOf(path ?? DEFAULT_MATRIX, options.locked);
    let shown = Number.NEGATIVE_INFINITY;
    const store = new KernelStore({
      cache,
      mirror: { option: options.debianMirror, matrix: matrix?.mirror },
      lock,
      onProgress: (progress) => {
        if (performance.now() - shown < PROGRESS_INTERVAL_MS) return;
        shown = performance.now();
        say(describeProgress(progress));
      },
      onMessage: say,
      signal,
    });
    return new GuestKernels(options, cache, store, matrix);
  }

  /**
   * The kernels of the given names: of the matrix (`*` is a wildcard), else lines such as `6.12`, `6.12-generic` or `newest`.
   * @throws ConfigError `no-such-kernel`; ExplainedError of the kernel store
   */
  async select(names: readonly string[]): Promise<GuestKernel[]> {
    const selected: GuestKernel[] = [];
    for (const name of names) {
      for (const one of await this.#find(name))
        if (!selected.some((other) => other.name === one.name)) selected.push(one);
    }
    return selected;
  }

  /**
   * Every kernel of the matrix.
   * @throws ExplainedError `no-matrix`
   */
  async all(): Promise<GuestKernel[]> {
    if (this.#matrix !== undefined) return selectKernels(this.#matrix, { kernels: [], programs: [] }, this.#store);
    throw new ExplainedError('no-matrix', '--all wants a matrix, and there is no matrix.yaml in this folder', {
      fix: 'name one with --matrix FILE, or name kernels',
    });
  }

  /** Opens a guest of a kernel. @throws MachineError, HostRootError, AgentError */
  async open({ name, kernel }: GuestKernel, hostRoot: boolean, signal: AbortSignal): Promise<Guest> {
    const { agent, virtme } = await this.#tools;
    const prepared = await prepareMachine({
      image: kernel.image,
      imageSha256: kernel.sha256,
      memoryMiB: this.#options.memory ?? this.#matrix?.memoryMiB ?? DEFAULT_MEMORY_MIB,
      cpus: this.#matrix?.cpus ?? DEFAULT_CPUS,
      agent,
      virtme,
      cache: this.#cache,
      onMessage: say,
    });
    this.#accelerator ??= chooseAccelerator({
      wanted: this.#options.accel,
      image: prepared.image,
      qemu: prepared.plan.qemu,
      cache: this.#cache,
    });
    return openGuest({
      machine: {
        prepared,
        accelerator: await this.#accelerator,
        append: this.#options.append ?? [],
        consolePath: await (await this.#evidence).consolePath(name, 1),
        deadlines: this.#options.deadlines ?? this.#matrix?.deadlines ?? DEFAULT_DEADLINES,
        signal,
      },
      modules: kernel,
      cache: this.#cache,
      observer: guestObserver,
      templates: this.#options.templates,
      hostRoot,
      listener: {
        onBoot: () => say(`booting ${name} …`),
        onMessage: say,
      },
    });
  }

  async #find(name: string): Promise<GuestKernel[]> {
    const [, line = '', flavour] = /^(\d+\.\d+|newest|latest)(?:-(cloud|generic|rt))?$/.exec(name) ?? [];
    if (this.#matrix !== undefined) {
      try {
        return await selectKernels(this.#matrix, { kernels: [name], programs: [] }, this.#store);
      } catch (error) {
        // A line that the matrix does not have may be Debian's.
        if (line === '' || !(error instanceof ConfigError) || error.code !== 'no-such-kernel') throw error;
      }
    }
    const isFlavour = flavour === 'cloud' || flavour === 'generic' || flavour === 'rt';
    return [{ name, kernel: await this.#store.get({ debian: line || name, ...(isFlavour ? { flavour } : {}) }) }];
  }

  async #findTools(): Promise<{ agent: string; virtme: Awaited<ReturnType<typeof locateVirtmeNg>> }> {
    const [agent, virtme] = await Promise.all([
      buildAgent({ outputDirectory: join(this.#cache, 'agent') }),
      locateVirtmeNg({ cache: this.#cache, source: this.#store.debian }),
    ]);
    return { agent, virtme };
  }
}

function say(text: string): void {
  process.stderr.write(`ksym-matrix: ${text}\n`);
}
