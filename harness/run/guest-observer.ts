import { Btf } from '../../loader/btf/btf.ts';
import { Kallsyms } from '../../loader/resolve/kallsyms.ts';
import type { KernelFacts, ModuleBtf } from '../../loader/resolve/outcome.ts';
import type { Observations, Observer } from '../vm/observations.ts';
import { configFacts, hostKernelConfig } from './config-facts.ts';
import { type FactValues, type GuestFacts, readGuestFacts } from './facts.ts';
import { type Baseline, readBaseline } from './leftovers.ts';

/** What is known of the boot that a machine comes from. */
export interface GuestState extends GuestFacts {
  /** What the machine was like before its first cell. */
  readonly baseline: Baseline;
}

/** Names of the observations. */
const KALLSYMS = 'kallsyms';
const VMLINUX_BTF = 'vmlinux.btf';
const FACTS = 'facts.json';
const moduleFile = (index: number): string => `module-${index}.btf`;

/** What cannot be written as a file of its own. */
interface FactsFile {
  readonly values: FactValues;
  readonly hasKallsyms: boolean;
  readonly hasBtf: boolean;
  readonly modules: readonly string[];
  readonly moduleBtfsUnavailable: KernelFacts['moduleBtfsUnavailable'];
  readonly btfIdLoads: KernelFacts['btfIdLoads'];
  readonly btfIdAddresses: boolean | null;
  readonly functionIdLoads: boolean | null;
  readonly baseline: Baseline;
}

/** Keeps what the loader and expectations want to know of a kernel beside its saved machine: none of it is read again for any cell. */
export const guestObserver: Observer = {
  // Raise it whenever facts.ts or leftovers.ts read something new.
  version: 'guest-5',
  observe: async (agent) => {
    const { kernel, values } = await readGuestFacts(agent);
    const { kallsyms, vmlinuxBtf, moduleBtfs, moduleBtfsUnavailable, btfIdLoads } = kernel;
    const { btfIdAddresses = null, functionIdLoads = null } = kernel;
    const facts: FactsFile = {
      values,
      hasKallsyms: kallsyms !== null,
      hasBtf: vmlinuxBtf !== null,
      modules: moduleBtfs.map(({ name }) => name),
      moduleBtfsUnavailable,
      btfIdLoads,
      btfIdAddresses,
      functionIdLoads,
      baseline: await readBaseline(agent),
    };
    const files = new Map<string, Uint8Array>([[FACTS, new TextEncoder().encode(JSON.stringify(facts))]]);
    if (kallsyms !== null) files.set(KALLSYMS, kallsyms.bytes);
    if (vmlinuxBtf !== null) files.set(VMLINUX_BTF, vmlinuxBtf.bytes);
    moduleBtfs.forEach(({ btf }, index) => {
      files.set(moduleFile(index), btf.bytes);
    });
    return files;
  },
};

/** Reads states once for all machines of a template, and forgets the ones that were not asked for lately: each takes some 20 MB. */
export class GuestStates {
  readonly #kept: number;
  readonly #states = new Map<string, Promise<GuestState>>();

  constructor(kept: number) {
    this.#kept = kept;
  }

  /**
   * The state behind a machine.
   * @param configPath the kernel's configuration on the host; null if there is none
   * @throws FormatError for damaged observations, Node's error for files that cannot be read
   */
  of(observations: Observations, configPath: string | null): Promise<GuestState> {
    const { key } = observations;
    const state = this.#states.get(key) ?? readState(observations, configPath);
    this.#states.delete(key);
    this.#states.set(key, state);
    for (const old of [...this.#states.keys()].slice(0, -this.#kept)) this.#states.delete(old);
    state.catch(() => this.#states.delete(key));
    return state;
  }
}

async function readState({ read }: Observations, configPath: string | null): Promise<GuestState> {
  const facts = JSON.parse(new TextDecoder().decode(await read(FACTS))) as FactsFile;
  const vmlinuxBtf = facts.hasBtf ? Btf.parse(await read(VMLINUX_BTF), { name: 'vmlinux' }) : null;
  const moduleBtfs: ModuleBtf[] = [];
  for (const [index, name] of facts.modules.entries()) {
    if (vmlinuxBtf === null) break;
    moduleBtfs.push({ name, btf: Btf.parse(await read(moduleFile(index)), { base: vmlinuxBtf, name }) });
  }
  const { moduleBtfsUnavailable, btfIdLoads, btfIdAddresses, functionIdLoads, values, baseline } = facts;
  const kernelConfig = await hostKernelConfig(configPath);
  return {
    kernel: {
      ...(kernelConfig === undefined ? {} : { kernelConfig }),
      kallsyms: facts.hasKallsyms ? Kallsyms.parse(await read(KALLSYMS)) : null,
      vmlinuxBtf,
      moduleBtfs,
      moduleBtfsUnavailable,
      btfIdLoads,
      btfIdAddresses,
      functionIdLoads,
    },
    values: { ...values, ...(await configFacts(configPath)) },
    baseline,
  };
}
