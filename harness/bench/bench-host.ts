import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { cacheDirectory } from '../../kernels/cache-directory.ts';
import { type Flavour, KernelStore } from '../../kernels/store.ts';
import { locateVirtmeNg, type VirtmeNg } from '../../kernels/virtme-ng.ts';
import { buildAgent } from '../../loader/agent/build.ts';
import { guestObserver } from '../run/guest-observer.ts';
import { type Accelerator, chooseAccelerator } from '../vm/accelerator.ts';
import { DEFAULT_DEADLINES, type MachineOptions } from '../vm/machine-parts.ts';
import { type PreparedMachine, prepareMachine } from '../vm/prepare.ts';
import type { Template } from '../vm/template-files.ts';
import { TemplateStore } from '../vm/template-store.ts';
import { makeTemporaryFolder } from '../vm/temporary-folder.ts';
import type { Finding } from './figures.ts';

/** Lines whose figures are shown one by one: the default matrix. */
export const USUAL_LINES = ['5.10', '6.1', '6.12', 'newest'] as const;

/** The size of the matrix's machines, and so of the ones that are measured. */
const MEMORY_MIB = 512;
const CPUS = 2;

/** One group of figures. */
export interface Bench {
  /** For `--only`. */
  readonly name: string;
  readonly run: (host: BenchHost) => Promise<Finding>;
}

/** A kernel to measure with. */
export interface BenchKernel {
  /** As the figures call it: its line, and its flavour if that is not `cloud`. */
  readonly name: string;
  readonly image: string;
  readonly prepared: PreparedMachine;
}

/** What benches work with. */
export interface BenchHost {
  readonly cache: string;
  readonly store: KernelStore;
  readonly virtme: VirtmeNg;
  readonly accelerator: Accelerator;
  /** Fewer repetitions. */
  readonly quick: boolean;
  /** Every line that Debian serves, instead of those that the cache has. */
  readonly allKernels: boolean;
  /** A folder for temporary files on the cache's disk; it goes when the benches end. */
  readonly folder: string;
  readonly signal: AbortSignal;
  /** Tells the user what is going on. */
  readonly say: (text: string) => void;
  readonly kernel: (line: string, flavour?: Flavour) => Promise<BenchKernel>;
  /** Options for a machine with this kernel, with a console log of its own. */
  readonly machine: (kernel: BenchKernel) => Omit<MachineOptions, 'memory'>;
  /** The saved machine of a kernel, made if need be. */
  readonly template: (kernel: BenchKernel) => Promise<Template>;
  readonly end: () => Promise<void>;
}

/** How the benches are run. */
export interface BenchOptions {
  readonly quick: boolean;
  readonly allKernels: boolean;
  readonly accelerator: 'auto' | 'kvm' | 'tcg';
  readonly signal: AbortSignal;
  readonly say: (text: string) => void;
}

/**
 * Gets ready to measure: finds tools, builds the agent, tries KVM.
 * @throws ExplainedError for what the tools lack
 */
export async function createBenchHost(options: BenchOptions): Promise<BenchHost> {
  const { signal, say, quick, allKernels } = options;
  const cache = cacheDirectory();
  const store = new KernelStore({ cache, signal, onMessage: say });
  const agent = await buildAgent({ outputDirectory: join(cache, 'agent'), signal });
  const virtme = await locateVirtmeNg({ cache, source: store.debian });
  const templates = new TemplateStore(cache);
  const folder = await makeTemporaryFolder('ksym-matrix-bench-', cache);
  const prepare = async (line: string, flavour: Flavour = 'cloud'): Promise<BenchKernel> => {
    const kernel = await store.get({ debian: line, flavour });
    const { image, sha256 } = kernel;
    const size = { memoryMiB: MEMORY_MIB, cpus: CPUS };
    const prepared = await prepareMachine({ image, imageSha256: sha256, ...size, agent, virtme, cache });
    return { name: flavour === 'cloud' ? kernel.line : `${kernel.line}-${flavour}`, image, prepared };
  };
  const { image, prepared } = await prepare('newest');
  const { qemu } = prepared.plan;
  const accelerator = await chooseAccelerator({ wanted: options.accelerator, image, qemu, cache, signal });
  let consoles = 0;
  const machine: BenchHost['machine'] = (kernel) => ({
    prepared: kernel.prepared,
    accelerator,
    append: [],
    consolePath: join(folder, `console-${++consoles}.log`),
    deadlines: DEFAULT_DEADLINES,
    signal,
  });
  return {
    ...{ cache, store, virtme, accelerator, quick, allKernels, folder, signal, say, machine },
    kernel: prepare,
    template: (kernel) =>
      templates.get({
        machine: machine(kernel),
        observer: guestObserver,
        onMessage: say,
        onBoot: () => say(`${kernel.name}: booting, to save the machine`),
      }),
    end: () => rm(folder, { recursive: true, force: true }),
  };
}
