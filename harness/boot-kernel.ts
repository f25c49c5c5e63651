import { cacheDirectory } from '../kernels/cache-directory.ts';
import type { AgentConnection } from '../loader/agent/connection.ts';
import { ExplainedError } from '../loader/errors.ts';
import type { KnownFacts } from '../loader/facts/kernel-facts.ts';
import { Kernel } from '../loader/kernel.ts';
import { GuestKernels } from './cli/guest-kernels.ts';
import { hostKernelConfig } from './run/config-facts.ts';

/** How {@link bootKernel} boots. */
export interface BootKernelOptions {
  /** A matrix whose kernels may be named; `matrix.yaml` of the working directory, if there is one, when absent. */
  readonly matrix?: string;
  /** MiB; what the matrix says, or 512, when absent. */
  readonly memory?: number;
  /** Ends the machine, and the download of its kernel. */
  readonly signal?: AbortSignal;
  /** False boots anew instead of continuing a machine that was saved after its boot. */
  readonly templates?: boolean;
}

/**
 * Boots a kernel in a virtual machine and gives the loader access to it: a matrix's name for it, or a line of Debian's such as `6.12`,
 * `6.12-generic` or `newest`. The kernel is fetched if need be; what takes long is told on standard error. Closing the kernel ends the machine.
 *
 * ```ts
 * await using machine = await bootKernel('6.12');
 * await using object = await machine.kernel.load(await ObjectSpec.open('program.bpf.o'));
 * ```
 * Throws ConfigError `no-such-kernel` if there is a matrix that does not have it, ConfigError or ExplainedError of the kernel's source if it does not
 * (`kernel-line-unknown` for Debian's), ExplainedError `packages-missing` with what to install, `interrupted`, MachineError.
 */
export async function bootKernel(name: string, options: BootKernelOptions = {}): Promise<BootedKernel> {
  const { matrix, memory, templates = true, signal = new AbortController().signal } = options;
  const guests = await GuestKernels.create(
    {
      accel: 'auto',
      templates,
      ...(matrix === undefined ? {} : { matrix }),
      ...(memory === undefined ? {} : { memory }),
    },
    cacheDirectory(),
    signal,
  );
  const [found, ...more] = await guests.select([name]);
  if (found === undefined || more.length > 0) {
    throw new ExplainedError('one-kernel', `"${name}" names ${more.length + 1} kernels`, { fix: 'name one' });
  }
  const kernelConfig = await hostKernelConfig(found.kernel.config);
  const known = kernelConfig === undefined ? {} : { kernelConfig };
  const guest = await guests.open(found, false, signal);
  return new BootedKernel(found.name, guest.machine.agent, () => guest.close(), known);
}

/** A kernel that runs in a virtual machine of its own. */
export class BootedKernel implements AsyncDisposable {
  readonly name: string;
  readonly kernel: Kernel;
  readonly #close: () => Promise<void>;

  /** Made by {@link bootKernel}. */
  constructor(name: string, agent: AgentConnection, close: () => Promise<void>, known: KnownFacts = {}) {
    this.name = name;
    this.kernel = Kernel.over(agent, known);
    this.#close = close;
  }

  /** Ends the machine. */
  async close(): Promise<void> {
    await this.#close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}
