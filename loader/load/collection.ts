import type { AgentConnection } from '../agent/connection.ts';
import { ExplainedError } from '../errors.ts';
import type { ObjectSpec, ProgramSpec, VariableSpec } from '../object/spec.ts';
import type { ExternResolution } from '../resolve/outcome.ts';
import { closeAll } from './bpf.ts';
import type { LoadedMap } from './maps.ts';
import { type TestRunOptions, type TestRunResult, testRun } from './test-run.ts';

const FIRST_KEY = new Uint8Array(4);

/** A program in the kernel. */
export interface LoadedProgram {
  readonly spec: ProgramSpec;
  /** The agent's descriptor. */
  readonly fd: number;
  /** The verifier's log, if one was asked for; else empty. */
  readonly verifierLog: string;
  testRun(options?: TestRunOptions): Promise<TestRunResult>;
}

/** A global variable of a loaded object; its bytes are little-endian as in the object. */
export interface LoadedVariable {
  readonly spec: VariableSpec;
  read(): Promise<Uint8Array>;
  /** Writes the whole variable. Other variables of its section that a program changes in the same moment may lose that change. */
  write(bytes: Uint8Array): Promise<void>;
}

/** What {@link LoadedObject} is made of. */
export interface LoadedParts {
  readonly agent: AgentConnection;
  readonly object: ObjectSpec;
  readonly resolutions: readonly ExternResolution[];
  readonly programs: readonly { readonly spec: ProgramSpec; readonly fd: number; readonly verifierLog: string }[];
  readonly maps: readonly LoadedMap[];
}

/** An object in the kernel. It stays there until {@link LoadedObject.close}, or until the agent's connection ends. */
export class LoadedObject {
  /** What each extern became. */
  readonly resolutions: readonly ExternResolution[];
  readonly #parts: LoadedParts;
  #closed = false;

  constructor(parts: LoadedParts) {
    this.resolutions = parts.resolutions;
    this.#parts = parts;
  }

  /** Throws ExplainedError `no-such-program`, naming those that were loaded. */
  program(name: string): LoadedProgram {
    const { agent, programs } = this.#parts;
    const found = programs.find(({ spec }) => spec.name === name);
    if (found === undefined)
      throw this.#unknown(
        'program',
        name,
        programs.map(({ spec }) => spec.name),
      );
    return { ...found, testRun: (options) => testRun(agent, found.spec, found.fd, options) };
  }

  /** Throws ExplainedError `no-such-map`, naming those there are. */
  map(name: string): LoadedMap {
    const { maps } = this.#parts;
    const found = maps.find(({ spec }) => spec.name === name);
    if (found === undefined)
      throw this.#unknown(
        'map',
        name,
        maps.map(({ spec }) => spec.name),
      );
    return found;
  }

  /** Throws ExplainedError `no-such-variable`, naming those there are. */
  variable(name: string): LoadedVariable {
    const { variables } = this.#parts.object;
    const spec = variables.find((variable) => variable.name === name);
    if (spec === undefined)
      throw this.#unknown(
        'variable',
        name,
        variables.map((variable) => variable.name),
      );
    const map = this.map(spec.map);
    const readSection = async (): Promise<Uint8Array> =>
      (await map.lookup(FIRST_KEY)) ?? new Uint8Array(map.spec.valueSize);
    return {
      spec,
      read: async () => (await readSection()).slice(spec.offset, spec.offset + spec.size),
      write: async (bytes) => {
        if (bytes.length !== spec.size) {
          const why = `it takes ${spec.size}`;
          throw new ExplainedError('variable-size', `${bytes.length} bytes for variable ${name}`, { why });
        }
        const section = await readSection();
        section.set(bytes, spec.offset);
        await map.update(FIRST_KEY, section);
      },
    };
  }

  /** Closes programs and maps; the kernel drops what nothing else holds. Throws AgentError. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    const { agent, programs, maps } = this.#parts;
    await closeAll(agent, [...programs.map(({ fd }) => fd), ...maps.map(({ fd }) => fd)]);
  }

  #unknown(kind: string, name: string, known: readonly string[]): ExplainedError {
    return new ExplainedError(`no-such-${kind}`, `there is no ${kind} ${name}`, {
      where: this.#parts.object.name,
      why: known.length === 0 ? `it has no ${kind}s` : `it has ${known.join(', ')}`,
    });
  }
}
