import type { AgentConnection } from '../agent/connection.ts';
import type { Btf } from '../btf/btf.ts';
import { ObjectError } from '../errors.ts';
import { openModuleBtf } from '../facts/module-btf.ts';
import { LoadError } from '../load-error.ts';
import { fillProgramArrays } from '../maps/fill-maps.ts';
import { pinMaps } from '../maps/pinned-map.ts';
import { ARENA_SECTION } from '../object/data.ts';
import type { ObjectContent, ProgramSpec } from '../object/spec.ts';
import { findAttachTarget } from '../programs/attach-target.ts';
import { loadProgram } from '../programs/load-program.ts';
import { LoadedProgram } from '../programs/loaded-program.ts';
import { CoreCandidates } from '../resolve/core-candidates.ts';
import { resolveExterns } from '../resolve/externs.ts';
import type { ExternResolution, KernelFacts } from '../resolve/outcome.ts';
import { closeAll, liftMemoryLimit } from '../syscall/bpf.ts';
import { DEFAULT_PIN_FOLDER } from '../syscall/pin.ts';
import { LoadedObject } from './loaded-object.ts';
import { uploadBtf } from './object-btf.ts';
import { resolveObjectKconfig, withKconfig } from './object-kconfig.ts';
import { createMaps, type ObjectMaps } from './object-maps.ts';
import { findProgramTargets } from './program-targets.ts';
import { select } from './select.ts';
import { planStructOps } from './struct-ops.ts';

export { LoadedObject } from './loaded-object.ts';

/** How to load an object. */
export interface LoadOptions {
  readonly agent: AgentConnection;
  /** Of the agent's kernel, from `readKernelFacts`. */
  readonly facts: KernelFacts;
  /** Names of the programs to load; all that load by default (not `SEC("?…")`) if absent. */
  readonly programs?: readonly string[];
  /** Verifier log level: 0 (default) logs only what fails, 1 always, 2 every state, 4 only the statistics. */
  readonly logLevel?: number;
  /** First size of the log in bytes, at least 128; it grows as needed, up to 16 MiB. */
  readonly logSize?: number;
  /** Where maps of LIBBPF_PIN_BY_NAME are pinned and looked for, in a BPF file system. Default: `/sys/fs/bpf`. */
  readonly pinFolder?: string;
  /** Lines such as `CONFIG_HZ=250` that go before the kernel's own configuration, for `__kconfig` externs. */
  readonly kconfig?: string;
  /**
   * Loaded programs that programs of this object attach to, by the name of the one that does: for `SEC("freplace/FUNCTION")`, and for
   * `fentry`, `fexit` and the like where the function is not the kernel's.
   */
  readonly attachTo?: Readonly<Record<string, LoadedProgram>>;
  /**
   * Types that CO-RE relocations go by instead of the kernel's own, such as a file of BTFHub for a kernel without BTF: what libbpf calls
   * `btf_custom_path`, and cilium/ebpf `KernelTypes`.
   */
  readonly coreBtf?: Btf;
}

/**
 * Loads an object into the agent's kernel: resolves its externs, uploads its BTF, creates and fills its maps, relocates its
 * programs and loads them, puts them into program arrays, and pins the maps that want it. If any step fails, nothing stays behind.
 * Throws LoadError with all resolutions; ObjectError for what no kernel would load; AgentError if the agent does not answer.
 */
export async function loadObject(spec: ObjectContent, options: LoadOptions): Promise<LoadedObject> {
  const { agent, logLevel = 0, logSize, pinFolder = DEFAULT_PIN_FOLDER } = options;
  const facts = options.coreBtf === undefined ? options.facts : { ...options.facts, coreBtf: options.coreBtf };
  if (spec.byteOrder !== 'little') {
    throw new ObjectError(
      'object-byte-order',
      'a big-endian object',
      { file: spec.name },
      {
        why: `the machine (${agent.hello.machine}) is little-endian`,
        fix: 'compile with -target bpfel',
      },
    );
  }
  const selected = planStructOps(select(spec, options.programs), spec, facts);
  const programTargets = findProgramTargets(selected.programs, options.attachTo);
  const resolutions = resolveExterns(spec, facts);
  refuseUnresolved(spec, resolutions);
  const kconfig = await resolveObjectKconfig(spec, { agent, facts, own: options.kconfig, resolutions });

  await liftMemoryLimit(agent);
  const temporary: number[] = [];
  const { maps, toPin }: ObjectMaps = { maps: [], toPin: [] };
  const programs: LoadedProgram[] = [];
  try {
    const btf = await uploadBtf(agent, spec);
    if (btf.fd !== null) temporary.push(btf.fd);
    const attached = selected.programs.filter(({ name }) => !programTargets.has(name));
    const modules = modulesOf(spec.name, attached, resolutions, facts);
    const moduleBtfs = await openModules(agent, new Set([...modules, ...selected.modules]), temporary);
    for (const [name, { id, module }] of selected.targets) {
      programTargets.set(name, { id, fd: module === null ? VMLINUX : (moduleBtfs.get(module) ?? VMLINUX) });
    }
    const mapContext = { agent, object: spec, btfFd: btf.fd, moduleBtfs, resolutions };
    await createMaps(withKconfig(selected.maps, spec, kconfig), pinFolder, mapContext, { maps, toPin });
    const mapFds = new Map(maps.map((map) => [map.spec.name, map.fd]));
    const arena = maps.find((map) => map.spec.arenaData !== undefined);
    if (arena !== undefined) mapFds.set(ARENA_SECTION, arena.fd);
    const kernel = { facts, coreCandidates: CoreCandidates.of(facts), moduleBtfs, resolutions };
    const context = { agent, object: spec, btf, maps: mapFds, ...kernel, programTargets, logLevel, logSize };
    for (const program of selected.programs) {
      const { fd, verifierLog } = await loadProgram(program, context);
      programs.push(new LoadedProgram(agent, program, fd, verifierLog));
    }
    await fillProgramArrays(maps, new Map(programs.map((program) => [program.spec.name, program.fd])), mapContext);
    await pinMaps(toPin, mapContext);
    // The kernel holds what programs and maps refer to.
    await closeAll(agent, temporary);
    return new LoadedObject({ agent, object: spec, resolutions, kconfig, programs, maps });
  } catch (error) {
    const fds = [...temporary, ...maps.map(({ fd }) => fd), ...programs.map(({ fd }) => fd)];
    // The error that stopped the load is the one to report, also when the agent is gone.
    await closeAll(agent, fds).catch(() => undefined);
    throw error;
  }
}

/** attach_btf_obj_fd of the kernel's own BTF. */
const VMLINUX = 0;

function refuseUnresolved(spec: ObjectContent, resolutions: readonly ExternResolution[]): void {
  const broken = resolutions.flatMap(({ name, outcome }) => (outcome.result === 'error' ? [{ name, outcome }] : []));
  const [first] = broken;
  if (first === undefined) return;
  const names = broken.map(({ name }) => name).join(', ');
  throw new LoadError('resolve', `cannot resolve ${broken.length === 1 ? 'extern' : 'externs'} ${names}`, {
    object: spec.name,
    resolutions,
    summary: broken.map(({ outcome }) => `${outcome.reason}: ${outcome.explanation}`).join(' '),
    fix: [...new Set(broken.map(({ outcome }) => outcome.fix))].join('\n  → '),
  });
}

function modulesOf(
  file: string,
  programs: readonly ProgramSpec[],
  resolutions: readonly ExternResolution[],
  facts: KernelFacts,
): Set<string> {
  const modules = new Set<string>();
  for (const { outcome } of resolutions) {
    if (outcome.result === 'btf-id' && outcome.module !== null) modules.add(outcome.module);
  }
  for (const program of programs) {
    const module = findAttachTarget(program, facts, file)?.module;
    if (module !== undefined && module !== null) modules.add(module);
  }
  return modules;
}

async function openModules(
  agent: AgentConnection,
  names: Set<string>,
  temporary: number[],
): Promise<Map<string, number>> {
  const fds = new Map<string, number>();
  for (const name of names) {
    const fd = await openModuleBtf(agent, name);
    if (fd === null) continue;
    fds.set(name, fd);
    temporary.push(fd);
  }
  return fds;
}
