import { join } from 'node:path';
import { ExplainedError } from '../../loader/errors.ts';
import { isConnectionLost } from './diagnose.ts';
import { HOST_FAULTS, MachineError } from './errors.ts';
import { Machine } from './machine.ts';
import type { MachineOptions } from './machine-parts.ts';
import { type Observations, type Observer, observeNow } from './observations.ts';
import { readObservation, TEMPLATE, type Template } from './template-files.ts';
import { TemplateError, TemplateStore } from './template-store.ts';

/** A machine that is ready, with what is known of the boot that it comes from. */
export interface OpenedMachine {
  readonly machine: Machine;
  readonly observations: Observations;
  readonly boot: BootOrigin;
}

/** The boot that a machine comes from, be it its own. */
export interface BootOrigin {
  /** Milliseconds from QEMU's start to the agent's hello. */
  readonly milliseconds: number;
  /** Its console log. */
  readonly log: string;
  /** Whether this process booted it, or an earlier one that saved it. */
  readonly when: 'this-run' | 'earlier';
}

/** What tells of a machine that is being started. */
export interface OpenListener {
  /** A kernel is being booted, to be saved or, without a template, to be used. */
  readonly onBoot?: () => void;
  /** Something that the user should know, such as why a machine is booted and not restored. */
  readonly onMessage?: (text: string) => void;
}

export interface MachineSourceOptions {
  readonly cache: string;
  readonly observer: Observer;
  /** False boots every machine. */
  readonly templates: boolean;
}

/** Templates that fail to restore as often as this are not made again by this process. */
const MAX_FAILURES = 2;

/**
 * Where machines come from: restored from a template, which is made when it is not there, and booted if that does not work,
 * whatever the reason.
 */
export class MachineSource {
  readonly #options: MachineSourceOptions;
  readonly #store: TemplateStore;
  readonly #known = new Map<string, Promise<Template>>();
  readonly #failures = new Map<string, number>();
  readonly #bootedHere = new Set<string>();
  #saving = true;

  constructor(options: MachineSourceOptions) {
    this.#options = options;
    this.#store = new TemplateStore(options.cache);
  }

  /** Whether a template for such a machine lies in the cache, so that it need not be booted; that it is whole is not looked at. */
  isSaved(request: Omit<MachineOptions, 'memory'>): boolean {
    if (!this.#options.templates) return false;
    return this.#store.has({ machine: request, observer: this.#options.observer });
  }

  /**
   * Starts a machine. The caller closes it.
   * @throws MachineError if the kernel does not come up; AgentError or FormatError if it cannot be observed
   */
  async open(request: Omit<MachineOptions, 'memory'>, listener: OpenListener = {}): Promise<OpenedMachine> {
    const template = await this.#template(request, listener);
    const restored = template === null ? null : await this.#restore(template, request, listener);
    return restored ?? this.#boot(request, listener);
  }

  /** The template for a machine, or null if it is to be booted. */
  async #template(request: Omit<MachineOptions, 'memory'>, listener: OpenListener): Promise<Template | null> {
    if (!this.#options.templates || !this.#saving) return null;
    const wanted = { machine: request, observer: this.#options.observer };
    const key = this.#store.keyOf(wanted);
    if ((this.#failures.get(key) ?? 0) >= MAX_FAILURES) return null;
    // One reading of the digests serves every machine of this process.
    const known =
      this.#known.get(key) ??
      this.#store.get({
        machine: { ...request, consolePath: bootLogPath(request.consolePath) },
        observer: this.#options.observer,
        onMessage: (text) => listener.onMessage?.(text),
        onBoot: () => {
          this.#bootedHere.add(key);
          listener.onBoot?.();
        },
      });
    this.#known.set(key, known);
    try {
      return await known;
    } catch (error) {
      this.#known.delete(key);
      if (!(error instanceof TemplateError) || request.signal?.aborted === true) throw error;
      // What keeps one machine from being saved, such as a full disk, keeps the others.
      this.#saving = false;
      listener.onMessage?.(`machines are booted each time: ${error.explain()}`);
      return null;
    }
  }

  async #restore(
    template: Template,
    request: Omit<MachineOptions, 'memory'>,
    listener: OpenListener,
  ): Promise<OpenedMachine | null> {
    const { directory, key } = template;
    try {
      const machine = await Machine.restore({
        ...request,
        memory: { path: join(directory, TEMPLATE.ram), share: false },
        state: join(directory, TEMPLATE.state),
      });
      const observations = { key, read: (name: string) => readObservation(template, name) };
      const boot: BootOrigin = {
        milliseconds: template.record.bootMs,
        log: join(directory, TEMPLATE.console),
        when: this.#bootedHere.has(key) ? 'this-run' : 'earlier',
      };
      return { machine, observations, boot };
    } catch (error) {
      if (request.signal?.aborted === true || !(error instanceof ExplainedError)) throw error;
      if (error instanceof MachineError && error.code === 'no-temporary-folder') throw error;
      this.#failures.set(key, (this.#failures.get(key) ?? 0) + 1);
      this.#known.delete(key);
      // A state is not thrown away, which other runs may be using, because somebody killed one QEMU.
      if (!(error instanceof MachineError && HOST_FAULTS.has(error.code))) await this.#store.discard(template);
      listener.onMessage?.(`a saved machine cannot be restored, so the kernel is booted: ${error.explain()}`);
      return null;
    }
  }

  async #boot(request: Omit<MachineOptions, 'memory'>, listener: OpenListener): Promise<OpenedMachine> {
    listener.onBoot?.();
    const machine = await Machine.start(request);
    try {
      const observations = await observeNow(this.#options.observer, machine.agent);
      return {
        machine,
        observations,
        boot: { milliseconds: machine.readyMs, log: machine.console.path, when: 'this-run' },
      };
    } catch (error) {
      const known = error instanceof ExplainedError && !machine.spoilt && !isConnectionLost(error);
      const failure = known ? error : await machine.diagnose(error, 'boot');
      await machine.close();
      throw failure;
    }
  }
}

/** The console log of the boot that a template is made from, beside that of the machine that is restored from it. */
export function bootLogPath(consolePath: string): string {
  return consolePath.replace(/(\.log)?$/, '-boot.log');
}
