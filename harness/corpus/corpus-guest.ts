import { join } from 'node:path';
import type { AgentConnection } from '../../loader/agent/connection.ts';
import { ExplainedError } from '../../loader/errors.ts';
import { readKernelFacts } from '../../loader/facts/kernel-facts.ts';
import type { KernelFacts } from '../../loader/resolve/outcome.ts';
import type { GuestKernel, GuestKernels } from '../cli/guest-kernels.ts';
import { filesBelow } from '../guest/archive.ts';
import type { GuestFile } from '../guest/guest-file.ts';
import { loadModules } from '../guest/guest-modules.ts';
import type { Guest } from '../guest/open-guest.ts';
import { pushFiles } from '../guest/transfer.ts';
import { ORACLE_FOLDER } from './oracle.ts';
import { TEST_MODULE, type TestModule } from './test-module.ts';

/** A machine with both loaders: ours speaks to its agent, libbpf is bpftool in its memory. */
export interface CorpusMachine {
  readonly agent: AgentConnection;
  readonly busybox: string;
  readonly facts: KernelFacts;
}

/** Opens machines of one kernel, one after the other: the next when the last was lost. */
export class CorpusGuest implements AsyncDisposable {
  readonly #guests: GuestKernels;
  readonly #kernel: GuestKernel;
  readonly #oracle: string;
  readonly #module: TestModule | null;
  readonly #signal: AbortSignal;
  #open: { readonly guest: Guest; readonly machine: CorpusMachine } | null = null;

  /**
   * @param oracle the folder of bpftool's packages, as unpacked on the host
   * @param module what was compiled for this kernel; null if nothing was: a kernel that is built with the module has it itself
   */
  constructor(
    guests: GuestKernels,
    kernel: GuestKernel,
    oracle: string,
    module: TestModule | null,
    signal: AbortSignal,
  ) {
    this.#guests = guests;
    this.#kernel = kernel;
    this.#oracle = oracle;
    this.#module = module;
    this.#signal = signal;
  }

  /** The machine; opened if there is none. @throws MachineError, AgentError, ExplainedError */
  async machine(): Promise<CorpusMachine> {
    this.#open ??= await this.#start();
    return this.#open.machine;
  }

  /** Why requests fail that the machine no longer answers. The next {@link CorpusGuest.machine} is another one. */
  async lost(error: unknown): Promise<Error> {
    const open = this.#open;
    this.#open = null;
    const why = open === null ? error : await open.guest.machine.diagnose(error);
    await open?.guest.close();
    return why instanceof Error ? why : new Error(String(why));
  }

  /** Whether the machine's kernel has reported a fault, or the machine is gone. */
  get spoilt(): boolean {
    return this.#open?.guest.machine.spoilt ?? false;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#open?.guest.close();
    this.#open = null;
  }

  async #start(): Promise<{ readonly guest: Guest; readonly machine: CorpusMachine }> {
    const guest = await this.#guests.open(this.#kernel, false, this.#signal);
    try {
      const { agent, busybox } = guest.place;
      await pushFiles(guest.place, await this.#files());
      await this.#loadTestModule(agent);
      return { guest, machine: { agent, busybox, facts: await readKernelFacts(agent) } };
    } catch (error) {
      const why = guest.machine.spoilt ? await guest.machine.diagnose(error) : error;
      await guest.close();
      throw why;
    }
  }

  /** @throws ExplainedError `test-module-refused` if the kernel refuses what was compiled for it */
  async #loadTestModule(agent: AgentConnection): Promise<void> {
    const module = this.#module;
    await loadModules(agent, module?.tree ?? this.#kernel.kernel, [TEST_MODULE]);
    if (module === null) return;
    const loaded = new TextDecoder().decode(await agent.readFile('/proc/modules'));
    if (loaded.split('\n').some((line) => line.startsWith(`${TEST_MODULE} `))) return;
    throw new ExplainedError('test-module-refused', `the kernel ${this.#kernel.name} refuses ${TEST_MODULE}`, {
      where: module.tree.directory,
      why: `it was compiled from ${module.about}`,
    });
  }

  /** bpftool with its libraries, and the kernel's configuration where both loaders look for it: `.kconfig` takes its values from there. */
  async #files(): Promise<GuestFile[]> {
    const { config, release } = this.#kernel.kernel;
    const wanted = [
      'usr/sbin/bpftool',
      'usr/lib64/ld-linux-x86-64.so.2',
      ...['libc.so.6', 'libelf.so.1', 'libcap.so.2', 'libz.so.1', 'libzstd.so.1', 'libm.so.6', 'libpthread.so.0'].map(
        (name) => `usr/lib/x86_64-linux-gnu/${name}`,
      ),
    ];
    const files: GuestFile[] = [];
    for (const path of wanted) files.push(...(await filesBelow(join(this.#oracle, path), join(ORACLE_FOLDER, path))));
    if (config !== null) files.push(...(await filesBelow(config, `/boot/config-${release}`)));
    return files;
  }
}
