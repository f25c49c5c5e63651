import { existsSync } from 'node:fs';
import pLimit from 'p-limit';
import type { Accelerator } from '../vm/accelerator.ts';
import { HOST_FAULTS, MachineError } from '../vm/errors.ts';
import type { Deadlines, MachineOptions } from '../vm/machine-parts.ts';
import { bootLogPath, MachineSource, type OpenedMachine } from '../vm/machine-source.ts';
import type { ResultCollector } from './collect.ts';
import type { CompiledProgram } from './compile.ts';
import { Durations } from './durations.ts';
import type { RunListener } from './events.ts';
import { type GuestState, GuestStates, guestObserver } from './guest-observer.ts';
import { describeModules } from './module-outcome.ts';
import type { PreparedGroup } from './prepare-groups.ts';
import { type Attempt, type CellMachine, type RunLoaders, runStint, type StintHost } from './run-stint.ts';
import { type BootGroup, type Cell, describeGroup } from './select.ts';
import { type Isolation, planStints, type Stint } from './stints.ts';

/** What the engine runs cells with. */
export interface EngineOptions {
  readonly cache: string;
  readonly matrix: { readonly deadlines: Deadlines };
  readonly accelerator: Accelerator;
  readonly prepared: ReadonlyMap<BootGroup, PreparedGroup>;
  readonly compiled: readonly CompiledProgram[];
  readonly loaders: Pick<RunLoaders, 'prepared' | 'observer'>;
  readonly templates: boolean;
  readonly retries: number;
  /** Kernel parameters for every machine. */
  readonly append: readonly string[];
  readonly collector: ResultCollector;
  readonly listener: RunListener;
  readonly onRed?: (cell: Cell, attempt: Attempt, machine: CellMachine) => Promise<boolean>;
  readonly signal: AbortSignal;
}

/** How cells share machines, and why so. */
export function chooseIsolation(asked: Isolation | undefined): { readonly name: Isolation; readonly reason: string } {
  if (asked === 'cell') return { name: 'cell', reason: 'each cell on a machine of its own (--isolate cell)' };
  // A machine is looked over after each cell, which takes a few milliseconds; a new one takes a tenth of a second or more.
  return {
    name: 'kernel',
    reason: `cells of a kernel share a machine while they leave nothing behind (${asked === undefined ? 'the fastest safe way' : '--isolate kernel'})`,
  };
}

/** What a boot with the observations after it is taken to need, emulated, in milliseconds; and a restored machine. Only the order depends on them. */
const BOOT_MS = 4500;
const RESTORE_MS = 150;

/** Puts cells on machines. */
export class Engine {
  readonly #options: EngineOptions;
  readonly #source: MachineSource;
  readonly #programs: ReadonlyMap<string, CompiledProgram>;
  /** Kernels that do not boot: nobody tries again for each cell. */
  readonly #failedBoots = new Map<BootGroup, unknown>();
  #states = new GuestStates(1);
  #mostMemory = 0;

  constructor(options: EngineOptions) {
    this.#options = options;
    this.#source = new MachineSource({ cache: options.cache, observer: guestObserver, templates: options.templates });
    this.#programs = new Map(options.compiled.map((one) => [one.program.name, one]));
  }

  /** The most memory that one machine had of its own when it ended, in bytes; 0 if none has run. */
  get mostMemory(): number {
    return this.#mostMemory;
  }

  /**
   * Runs all cells. What breaks the harness in one stint ends the others, and is thrown when they have ended; everything else is
   * an outcome of a cell.
   */
  async run(groups: readonly BootGroup[], isolation: Isolation, jobs: number): Promise<void> {
    this.#states = new GuestStates(jobs + 1);
    const durations = await Durations.read(this.#options.cache);
    const stints = planStints(groups, isolation, jobs, {
      cell: (cell) => durations.expected(cell) + (isolation === 'cell' ? RESTORE_MS : 0),
      firstMachine: (group) => (this.#isSaved(group) ? RESTORE_MS : BOOT_MS),
    });
    const broken = new AbortController();
    const signal = AbortSignal.any([this.#options.signal, broken.signal]);
    const host = this.#host(isolation, durations, signal);
    const limit = pLimit(jobs);
    const ends = await Promise.allSettled(
      stints.map((stint) =>
        limit(async () => {
          if (signal.aborted) return;
          await runStint(stint, host).catch((error: unknown) => {
            broken.abort();
            throw error;
          });
        }),
      ),
    );
    await durations.write();
    for (const end of ends) if (end.status === 'rejected') throw end.reason;
  }

  #host(isolation: Isolation, durations: Durations, signal: AbortSignal): StintHost {
    const { collector, retries, listener, onRed, loaders, matrix } = this.#options;
    return {
      isolation,
      loaders: { ...loaders, timeoutMs: matrix.deadlines.request },
      compiled: this.#programs,
      retries,
      signal,
      open: (stint) => this.#open(stint, signal),
      isRed: (cell, attempt) => collector.isRed(cell, attempt),
      onCell: async (cell, attempts) => {
        durations.add(cell, attempts[0]?.durationMs ?? 0);
        await collector.addCell(cell, attempts);
      },
      onMachineEnd: async ({ machine }) => {
        const memory = await machine.memory();
        if (memory !== null) this.#mostMemory = Math.max(this.#mostMemory, memory.own);
      },
      onRed: async (cell, attempt, machine) => (await onRed?.(cell, attempt, machine)) ?? false,
      onWarning: (text) => listener({ kind: 'warning', text }),
    };
  }

  #isSaved(group: BootGroup): boolean {
    const request = this.#request(group, '', new AbortController().signal);
    return request !== null && this.#source.isSaved(request);
  }

  async #open({ group }: Stint, signal: AbortSignal): Promise<CellMachine> {
    if (this.#failedBoots.has(group)) throw this.#failedBoots.get(group);
    const { collector, listener } = this.#options;
    const kernel = group.kernel.name;
    const console = await collector.consolePath(kernel);
    const request = this.#request(group, console, signal);
    const prepared = this.#options.prepared.get(group);
    if (request === null || prepared === undefined) throw new TypeError(`no machine was prepared for ${kernel}`);
    let opened: OpenedMachine;
    try {
      opened = await this.#source.open(request, {
        onBoot: () => listener({ kind: 'boot', kernel, boot: describeGroup(group) }),
        onMessage: (text) => listener({ kind: 'warning', text: `${kernel}: ${text}` }),
      });
    } catch (error) {
      if (!signal.aborted) this.#noteFailure(group, console, error);
      throw error;
    }
    try {
      const known = await this.#states.of(opened.observations, group.kernel.kernel.config);
      const values = { ...known.values, 'modules.available': prepared.modules.missing.length === 0 };
      const state: GuestState = { ...known, values };
      await collector.addMachine(group, opened, values);
      return { ...opened, state, refusal: await describeModules(prepared.modules, state, opened.boot.log) };
    } catch (error) {
      await opened.machine.close('kill');
      throw error;
    }
  }

  #noteFailure(group: BootGroup, consolePath: string, error: unknown): void {
    // Stints that waited for the same boot fail with it.
    if (this.#failedBoots.has(group)) return;
    const boot = bootLogPath(consolePath);
    this.#options.collector.addBootFailure(group, existsSync(boot) ? boot : consolePath);
    if (!(error instanceof MachineError && HOST_FAULTS.has(error.code))) this.#failedBoots.set(group, error);
  }

  #request(group: BootGroup, consolePath: string, signal: AbortSignal): Omit<MachineOptions, 'memory'> | null {
    const { accelerator, append, matrix, prepared } = this.#options;
    const machine = prepared.get(group)?.machine;
    if (machine === undefined) return null;
    const { deadlines } = matrix;
    return { prepared: machine, accelerator, append: [...group.boot, ...append], consolePath, deadlines, signal };
  }
}
