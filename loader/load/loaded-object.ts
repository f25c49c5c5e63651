import type { AgentConnection } from '../agent/connection.ts';
import { ExplainedError } from '../errors.ts';
import type { LoadedMap } from '../maps/loaded-map.ts';
import { KCONFIG_SECTION } from '../object/kconfig.ts';
import type { ObjectContent } from '../object/spec.ts';
import type { LoadedProgram } from '../programs/loaded-program.ts';
import type { KconfigResolution } from '../resolve/kconfig.ts';
import type { ExternResolution } from '../resolve/outcome.ts';
import { LoadedVariable } from './loaded-variable.ts';

/** What {@link LoadedObject} is made of. */
export interface LoadedParts {
  readonly agent: AgentConnection;
  readonly object: ObjectContent;
  readonly resolutions: readonly ExternResolution[];
  readonly kconfig: readonly KconfigResolution[];
  readonly programs: readonly LoadedProgram[];
  readonly maps: readonly LoadedMap[];
}

/**
 * An object in the kernel, what cilium/ebpf calls a Collection. It stays there until {@link LoadedObject.close} (or the end of an `await using`
 * block), or until the agent's connection ends; what is pinned or attached stays longer.
 */
export class LoadedObject implements AsyncDisposable {
  /** What each extern became. */
  readonly resolutions: readonly ExternResolution[];
  /** What each `__kconfig` extern became. */
  readonly kconfig: readonly KconfigResolution[];
  readonly programs: readonly LoadedProgram[];
  readonly maps: readonly LoadedMap[];
  readonly #parts: LoadedParts;
  #closed = false;

  /** Made by `loadObject`. */
  constructor(parts: LoadedParts) {
    this.resolutions = parts.resolutions;
    this.kconfig = parts.kconfig;
    this.programs = parts.programs;
    this.maps = parts.maps;
    this.#parts = parts;
  }

  /** Throws ExplainedError `no-such-program`, naming those that were loaded. */
  program(name: string): LoadedProgram {
    const found = this.programs.find(({ spec }) => spec.name === name);
    const names = this.programs.map(({ spec }) => spec.name);
    return found ?? this.#unknown('program', name, names);
  }

  /** Throws ExplainedError `no-such-map`, naming those there are. */
  map(name: string): LoadedMap {
    const found = this.maps.find(({ spec }) => spec.name === name);
    const names = this.maps.map(({ spec }) => spec.name);
    return found ?? this.#unknown('map', name, names);
  }

  /** A global variable or a `__kconfig` extern. Throws ExplainedError `no-such-variable`, naming those there are. */
  variable(name: string): LoadedVariable {
    const { btf, kconfig = [] } = this.#parts.object;
    const variables = [...this.#parts.object.variables, ...kconfig.map((one) => ({ ...one, map: KCONFIG_SECTION }))];
    const spec = variables.find((variable) => variable.name === name);
    const names = variables.map((variable) => variable.name);
    return spec === undefined
      ? this.#unknown('variable', name, names)
      : new LoadedVariable(spec, this.map(spec.map), btf);
  }

  /** Closes programs and maps; the kernel drops what nothing else holds. Throws AgentError. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    for (const one of [...this.programs, ...this.maps]) await one.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  #unknown(kind: string, name: string, known: readonly string[]): never {
    throw new ExplainedError(`no-such-${kind}`, `there is no ${kind} ${name}`, {
      where: this.#parts.object.name,
      why: known.length === 0 ? `it has no ${kind}s` : `it has ${known.join(', ')}`,
    });
  }
}
