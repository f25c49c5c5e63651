import type { AgentConnection } from '../agent/connection.ts';
import type { FactReader } from '../facts/fact-reader.ts';
import type { MapType } from '../object/map-types.ts';
import type { ProgramType } from '../object/spec.ts';
import { type FunctionPlaces, probeHelper, probeKfunc } from './call.ts';
import {
  type InstructionSet,
  probeBoundedLoops,
  probeFdArray,
  probeInstructionSet,
  probeLargePrograms,
} from './instructions.ts';
import { type LinkKind, probeLink, probeToken } from './links.ts';
import { probeMapType } from './map-type.ts';
import { probeProgramType } from './program-type.ts';
import { type FeatureSupport, inconclusive, notSupported, supported } from './support.ts';

/**
 * What a kernel can do, found out by trying; versions say little, since distributions backport and leave out. Each question costs one or two
 * system calls, once: conclusive answers are kept for as long as this object lives, inconclusive ones are asked again.
 *
 * ```ts
 * const { support, reason } = await kernel.features.helper('xdp', 'bpf_xdp_load_bytes');
 * ```
 * Every method throws AgentError if the agent does not answer.
 */
export class Features {
  readonly #agent: AgentConnection;
  readonly #facts: () => FactReader;
  readonly #known = new Map<string, FeatureSupport>();

  /** Made by `Kernel`; `facts` gives the BTF that kfuncs and some helpers are looked up in. */
  constructor(agent: AgentConnection, facts: () => FactReader) {
    this.#agent = agent;
    this.#facts = facts;
  }

  /** Whether programs of this type can be loaded. */
  programType(type: ProgramType): Promise<FeatureSupport> {
    return this.#once(`program type ${type}`, () => probeProgramType(this.#agent, type));
  }

  /** Whether maps of this type can be created. */
  mapType(type: MapType): Promise<FeatureSupport> {
    return this.#once(`map type ${type}`, () => probeMapType(this.#agent, type));
  }

  /** Whether programs of a type may call a helper, by name or number, with the agent's rights. */
  helper(type: ProgramType, helper: string | number): Promise<FeatureSupport> {
    return this.#once(`helper ${helper} of ${type}`, async () =>
      probeHelper(this.#agent, type, helper, WANT_TARGETS.includes(type) ? await this.#facts().vmlinuxBtf() : null),
    );
  }

  /** Whether programs of a type may call a kernel function of vmlinux or of a module that is loaded. Asked anew each time: modules come and go. */
  async kfunc(type: ProgramType, name: string): Promise<FeatureSupport> {
    const vmlinux = await this.#facts().vmlinuxBtf();
    if (vmlinux === null) return notSupported('the kernel has no BTF');
    const own: FunctionPlaces = [{ module: null, btf: vmlinux }];
    if (vmlinux.find(name, 'func') !== undefined) return probeKfunc(this.#agent, type, name, own);
    const { moduleBtfs, moduleBtfsUnavailable } = await this.#facts().moduleBtfs();
    if (moduleBtfsUnavailable === 'permission') {
      return inconclusive('vmlinux does not have it, and the BTF of modules takes CAP_SYS_ADMIN');
    }
    return probeKfunc(this.#agent, type, name, [
      ...own,
      ...moduleBtfs.map(({ name: module, btf }) => ({ module, btf })),
    ]);
  }

  /** Whether instructions may name variables by their BTF id, as typed ksyms need (5.10). */
  async btfIdLoads(): Promise<FeatureSupport> {
    return ofBoolean(
      (await this.#facts().btfIds()).btfIdLoads,
      'the kernel knows such instructions',
      'it does not recognise them',
    );
  }

  /** Whether the kernel finds the addresses of its variables by name, as typed ksyms need too (CONFIG_KALLSYMS_ALL). */
  async btfIdAddresses(): Promise<FeatureSupport> {
    const { btfIdAddresses } = await this.#facts().btfIds();
    return ofBoolean(
      btfIdAddresses,
      'it found one',
      'it does not find a variable that its BTF lists: no CONFIG_KALLSYMS_ALL',
    );
  }

  /** Whether instructions may name kernel functions by their BTF id, as `bpf_ksym_exists` needs (6.4). */
  async kfuncAddresses(): Promise<FeatureSupport> {
    return ofBoolean(
      (await this.#facts().btfIds()).functionIdLoads,
      'one was taken',
      'the id must be that of a variable',
    );
  }

  /** Whether the BTF of modules can be found, for their variables and functions (5.11, CAP_SYS_ADMIN). */
  async moduleBtf(): Promise<FeatureSupport> {
    if ((await this.#facts().vmlinuxBtf()) === null) return notSupported('the kernel has no BTF');
    const { moduleBtfsUnavailable } = await this.#facts().moduleBtfs();
    if (moduleBtfsUnavailable === null) return supported('the kernel lists it');
    return moduleBtfsUnavailable === 'permission'
      ? inconclusive('listing it takes CAP_SYS_ADMIN')
      : notSupported('the kernel does not list its BTF by name');
  }

  /** `fd_array` of BPF_PROG_LOAD, for kfuncs of modules (5.14). */
  fdArray(): Promise<FeatureSupport> {
    return this.#once('fd_array', () => probeFdArray(this.#agent));
  }

  /** Programs of more than 4096 instructions (5.2). */
  largePrograms(): Promise<FeatureSupport> {
    return this.#once('large programs', () => probeLargePrograms(this.#agent));
  }

  /** Loops whose end the verifier sees (5.3). */
  boundedLoops(): Promise<FeatureSupport> {
    return this.#once('bounded loops', () => probeBoundedLoops(this.#agent));
  }

  /** What `clang -mcpu=` v2 (4.14), v3 (5.1) or v4 (6.6) makes. */
  instructionSet(set: InstructionSet): Promise<FeatureSupport> {
    return this.#once(`instruction set ${set}`, () => probeInstructionSet(this.#agent, set));
  }

  /** Whether a kind of link can be made. */
  link(kind: LinkKind): Promise<FeatureSupport> {
    return this.#once(`link ${kind}`, () => probeLink(this.#agent, kind));
  }

  /** Whether attachments can carry a cookie that the program reads (5.15): the helper bpf_get_attach_cookie. */
  cookies(): Promise<FeatureSupport> {
    return this.helper('kprobe', 'bpf_get_attach_cookie');
  }

  /** Whether a BPF token can be made (6.9). */
  token(): Promise<FeatureSupport> {
    return this.#once('token', () => probeToken(this.#agent));
  }

  async #once(question: string, ask: () => Promise<FeatureSupport>): Promise<FeatureSupport> {
    const known = this.#known.get(question);
    if (known !== undefined) return known;
    const answer = await ask();
    if (answer.support !== 'inconclusive') this.#known.set(question, answer);
    return answer;
  }
}

/** Types whose programs the verifier looks at only with a function of the kernel to attach to. */
const WANT_TARGETS: readonly ProgramType[] = ['tracing', 'lsm'];

function ofBoolean(answer: boolean | null, yes: string, no: string): FeatureSupport {
  if (answer === null) return inconclusive('the kernel says neither');
  return answer ? supported(yes) : notSupported(no);
}
