import type { AgentConnection } from '../agent/connection.ts';
import { ObjectError } from '../errors.ts';
import { openModuleBtf } from '../facts/module-btf.ts';
import { LoadError } from '../load-error.ts';
import { createMap } from '../maps/create-map.ts';
import type { LoadedMap } from '../maps/loaded-map.ts';
import type { ObjectContent, ProgramSpec } from '../object/spec.ts';
import { findAttachTarget } from '../programs/attach-target.ts';
import { loadProgram } from '../programs/load-program.ts';
import { LoadedProgram } from '../programs/loaded-program.ts';
import { resolveExterns } from '../resolve/externs.ts';
import type { ExternResolution, KernelFacts } from '../resolve/outcome.ts';
import { closeAll, liftMemoryLimit } from '../syscall/bpf.ts';
import { LoadedObject } from './loaded-object.ts';
import { uploadBtf } from './object-btf.ts';

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
  /** First size of the log in bytes; it grows as needed, up to 16 MiB. */
  readonly logSize?: number;
}

/**
 * Loads an object into the agent's kernel: resolves its externs, uploads its BTF, creates and fills its maps, relocates its
 * programs and loads them. If any step fails, nothing stays behind.
 * Throws LoadError with all resolutions; ObjectError for what no kernel would load; AgentError if the agent does not answer.
 */
export async function loadObject(spec: ObjectContent, options: LoadOptions): Promise<LoadedObject> {
  const { agent, facts, logLevel = 0, logSize } = options;
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
  const selected = selectPrograms(spec, options.programs);
  const resolutions = resolveExterns(spec, facts);
  refuseUnresolved(spec, resolutions);

  await liftMemoryLimit(agent);
  const temporary: number[] = [];
  const maps: LoadedMap[] = [];
  const programs: LoadedProgram[] = [];
  try {
    const btf = await uploadBtf(agent, spec);
    if (btf.fd !== null) temporary.push(btf.fd);
    for (const map of spec.maps) {
      maps.push(await createMap(map, { agent, object: spec, btfFd: btf.fd, resolutions }));
    }
    const moduleBtfs = await openModules(agent, modulesOf(selected, resolutions, facts), temporary);
    const mapFds = new Map(maps.map((map) => [map.spec.name, map.fd]));
    const context = { agent, object: spec, facts, btf, maps: mapFds, moduleBtfs, resolutions, logLevel, logSize };
    for (const program of selected) {
      const { fd, verifierLog } = await loadProgram(program, context);
      programs.push(new LoadedProgram(agent, program, fd, verifierLog));
    }
    // The kernel holds what programs and maps refer to.
    await closeAll(agent, temporary);
    return new LoadedObject({ agent, object: spec, resolutions, programs, maps });
  } catch (error) {
    const fds = [...temporary, ...maps.map(({ fd }) => fd), ...programs.map(({ fd }) => fd)];
    // The error that stopped the load is the one to report, also when the agent is gone.
    await closeAll(agent, fds).catch(() => undefined);
    throw error;
  }
}

function selectPrograms(spec: ObjectContent, names: readonly string[] | undefined): readonly ProgramSpec[] {
  if (names === undefined) return spec.programs.filter(({ autoload }) => autoload);
  return names.map((name) => {
    const program = spec.programs.find((one) => one.name === name);
    if (program !== undefined) return program;
    const why = `it has ${spec.programs.map((one) => one.name).join(', ')}`;
    throw new ObjectError('no-such-program', `there is no program ${name}`, { file: spec.name }, { why });
  });
}

function refuseUnresolved(spec: ObjectContent, resolutions: readonly ExternResolution[]): void {
  const broken = resolutions.flatMap(({ name, outcome }) => (outcome.result === 'error' ? [{ name, outcome }] : []));
  const [first] = broken;
  if (first === undefined) return;
  const names = broken.map(({ name }) => name).join(', ');
  throw new LoadError('resolve', `cannot resolve ${broken.length === 1 ? 'extern' : 'externs'} ${names}`, {
    object: spec.name,
    resolutions,
    summary: broken.map(({ outcome }) => `${outcome.reason}: ${outcome.explanation}`).join('; '),
    fix: [...new Set(broken.map(({ outcome }) => outcome.fix))].join('\n  → '),
  });
}

function modulesOf(
  programs: readonly ProgramSpec[],
  resolutions: readonly ExternResolution[],
  facts: KernelFacts,
): Set<string> {
  const modules = new Set<string>();
  for (const { outcome } of resolutions) {
    if (outcome.result === 'btf-id' && outcome.module !== null) modules.add(outcome.module);
  }
  for (const program of programs) {
    const module = findAttachTarget(program, facts)?.module;
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
