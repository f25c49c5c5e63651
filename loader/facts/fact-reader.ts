import type { AgentConnection } from '../agent/connection.ts';
import type { Btf } from '../btf/btf.ts';
import type { ObjectContent } from '../object/spec.ts';
import { resolveExterns } from '../resolve/externs.ts';
import type { Kallsyms } from '../resolve/kallsyms.ts';
import type { KernelFacts } from '../resolve/outcome.ts';
import { type BtfIdAnswers, knownOrProbed } from './btf-id-probe.ts';
import { readKallsyms, readVmlinuxBtf } from './fact-files.ts';
import { type ModuleBtfs, readModuleBtfs } from './module-btf.ts';
import { asksForBtfIds, asksForTypes, lacksInVmlinux, namesFirstPerCpu } from './object-needs.ts';

/**
 * Reads facts of a kernel when something wants them, each once: kallsyms has 190,000 lines, the BTF of vmlinux 5 MB, and finding the BTF
 * of modules wants rights that many loads do without.
 */
export class FactReader {
  readonly #agent: AgentConnection;
  readonly #known: Partial<KernelFacts>;
  #kallsyms: Promise<Kallsyms | null> | undefined;
  #vmlinuxBtf: Promise<Btf | null> | undefined;
  #modules: Promise<ModuleBtfs> | undefined;
  #btfIds: Promise<BtfIdAnswers> | undefined;

  /** What is in `known` is never read. */
  constructor(agent: AgentConnection, known: Partial<KernelFacts> = {}) {
    this.#agent = agent;
    this.#known = known;
  }

  /** Everything. Throws AgentError, and FormatError for damaged BTF or kallsyms. */
  async all(): Promise<KernelFacts> {
    // One after the other: the agent answers in turn anyway, and what fails first is the error.
    const kallsyms = await this.kallsyms();
    const vmlinuxBtf = await this.vmlinuxBtf();
    return this.#facts({ kallsyms, vmlinuxBtf, ...(await this.moduleBtfs()), ...(await this.btfIds()) });
  }

  /**
   * What resolving, relocating and loading this object wants to know, and no more:
   * - the BTF of vmlinux if the object refers to the kernel's types, variables or functions
   * - the probe for BTF ids if it loads the address of a variable by its type, or of a kfunc
   * - the BTF of modules if vmlinux lacks something of that
   * - kallsyms if the object has typeless externs, or a typed one whose address may be 0; and to explain what is missing, unless the extern is weak
   *
   * What was read before is there as well. Throws AgentError, and FormatError for damaged BTF or kallsyms.
   */
  async factsFor(spec: ObjectContent): Promise<KernelFacts> {
    const typeless = spec.externs.some(({ kind }) => kind === 'typeless');
    const facts: KernelFacts = this.#facts({
      kallsyms: typeless ? await this.kallsyms() : await this.#soFar(this.#kallsyms, this.#known.kallsyms, null),
      vmlinuxBtf: asksForTypes(spec)
        ? await this.vmlinuxBtf()
        : await this.#soFar(this.#vmlinuxBtf, this.#known.vmlinuxBtf, null),
      ...(asksForBtfIds(spec) ? await this.btfIds() : NOT_PROBED),
      ...NO_MODULES,
    });
    const complete =
      facts.vmlinuxBtf !== null && lacksInVmlinux(spec, facts.vmlinuxBtf)
        ? { ...facts, ...(await this.moduleBtfs()) }
        : facts;
    if (typeless || complete.kallsyms !== null) return complete;
    const isWanted =
      (facts.vmlinuxBtf !== null && namesFirstPerCpu(spec, facts.vmlinuxBtf)) ||
      resolveExterns(spec, complete).some(({ outcome }) => outcome.result === 'error');
    return isWanted ? { ...complete, kallsyms: await this.kallsyms() } : complete;
  }

  /** `/proc/kallsyms`, or null if it cannot be read. */
  kallsyms(): Promise<Kallsyms | null> {
    const { kallsyms } = this.#known;
    this.#kallsyms ??= kallsyms === undefined ? readKallsyms(this.#agent) : Promise.resolve(kallsyms);
    return this.#kallsyms;
  }

  /** The BTF of vmlinux, or null if there is none. */
  vmlinuxBtf(): Promise<Btf | null> {
    const { vmlinuxBtf } = this.#known;
    this.#vmlinuxBtf ??= vmlinuxBtf === undefined ? readVmlinuxBtf(this.#agent) : Promise.resolve(vmlinuxBtf);
    return this.#vmlinuxBtf;
  }

  /** The BTF of every module that is loaded, in order of its id. */
  moduleBtfs(): Promise<ModuleBtfs> {
    const { moduleBtfs, moduleBtfsUnavailable = null } = this.#known;
    this.#modules ??=
      moduleBtfs === undefined
        ? this.vmlinuxBtf().then((vmlinux) => readModuleBtfs(this.#agent, vmlinux))
        : Promise.resolve({ moduleBtfs, moduleBtfsUnavailable });
    return this.#modules;
  }

  /** What the kernel makes of BTF ids in instructions. */
  btfIds(): Promise<BtfIdAnswers> {
    this.#btfIds ??= this.vmlinuxBtf().then((vmlinux) => knownOrProbed(this.#agent, vmlinux, this.#known));
    return this.#btfIds;
  }

  async #soFar<T>(read: Promise<T> | undefined, known: T | undefined, otherwise: T): Promise<T> {
    return read ?? (known === undefined ? otherwise : known);
  }

  /** With what `known` has beside the facts that are read here. */
  #facts(facts: KernelFacts): KernelFacts {
    return { ...this.#known, ...facts };
  }
}

const NOT_PROBED: BtfIdAnswers = { btfIdLoads: null, btfIdAddresses: null, functionIdLoads: null };
const NO_MODULES: ModuleBtfs = { moduleBtfs: [], moduleBtfsUnavailable: null };
