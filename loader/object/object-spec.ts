import { readFile } from 'node:fs/promises';
import type { Btf } from '../btf/btf.ts';
import type { DatasecLayout } from '../btf/datasec-layout.ts';
import { type BtfValue, decodeValue, encodeValue } from '../btf/values.ts';
import { ExplainedError } from '../errors.ts';
import { parseObject } from './parse.ts';
import type { ExternSpec, KconfigSpec, MapSpec, ObjectContent, ProgramSpec, VariableSpec } from './spec.ts';

/**
 * A BPF object before it is loaded: what its file says, to be looked at and edited. Nothing in it depends on a kernel, and making one
 * needs none. What cilium/ebpf calls a CollectionSpec.
 *
 * ```ts
 * const spec = await ObjectSpec.open('program.bpf.o');
 * spec.variable('verbose').set(true);
 * spec.map('events').maxEntries = 1 << 20;
 * spec.program('on_exit').autoload = false;
 * await using object = await kernel.load(spec);
 * ```
 */
export class ObjectSpec implements ObjectContent {
  readonly name: string;
  readonly byteOrder: 'little' | 'big';
  license: string;
  readonly btf: Btf | null;
  readonly datasecLayout: DatasecLayout;
  readonly programs: readonly ProgramSpec[];
  readonly maps: readonly MapSpec[];
  readonly variables: readonly VariableSpec[];
  readonly externs: readonly ExternSpec[];
  readonly kconfig: readonly KconfigSpec[];

  constructor(content: ObjectContent) {
    this.name = content.name;
    this.byteOrder = content.byteOrder;
    this.license = content.license;
    this.btf = content.btf;
    this.datasecLayout = content.datasecLayout;
    this.programs = content.programs;
    this.maps = content.maps;
    this.variables = content.variables;
    this.externs = content.externs;
    this.kconfig = content.kconfig ?? [];
  }

  /** Reads an object from its bytes; `name` is for messages. Throws FormatError for damaged bytes, ObjectError for what no loader takes. */
  static parse(bytes: Uint8Array, name = 'object'): ObjectSpec {
    return new ObjectSpec(parseObject(bytes, name));
  }

  /** Reads an object from a file. Throws as {@link ObjectSpec.parse}, and ExplainedError `object-unreadable`. */
  static async open(path: string): Promise<ObjectSpec> {
    try {
      return ObjectSpec.parse(await readFile(path), path);
    } catch (error) {
      if (error instanceof ExplainedError) throw error;
      const why = error instanceof Error ? error.message : String(error);
      throw new ExplainedError('object-unreadable', 'the object cannot be read', { where: path, why, cause: error });
    }
  }

  /** A copy to edit on its own; it shares what cannot be edited. */
  copy(): ObjectSpec {
    return new ObjectSpec({
      ...this,
      programs: this.programs.map((program) => ({ ...program })),
      maps: this.maps.map(copyMap),
    });
  }

  /** Throws ExplainedError `no-such-program`, naming those there are. */
  program(name: string): ProgramSpec {
    return this.#find('program', name, this.programs);
  }

  /** Throws ExplainedError `no-such-map`, naming those there are. */
  map(name: string): MapSpec {
    return this.#find('map', name, this.maps);
  }

  /** A global variable, to be read and set before the load. Throws ExplainedError `no-such-variable`, naming those there are. */
  variable(name: string): InitialVariable {
    return new InitialVariable(this, this.#find('variable', name, this.variables));
  }

  #find<T extends { readonly name: string }>(kind: string, name: string, all: readonly T[]): T {
    const found = all.find((one) => one.name === name);
    if (found !== undefined) return found;
    throw new ExplainedError(`no-such-${kind}`, `there is no ${kind} ${name}`, {
      where: this.name,
      why: all.length === 0 ? `it has no ${kind}s` : `it has ${all.map((one) => one.name).join(', ')}`,
    });
  }
}

function copyMap(map: MapSpec): MapSpec {
  return {
    ...map,
    data: map.data === null ? null : map.data.slice(),
    ...(map.inner === undefined ? {} : { inner: copyMap(map.inner) }),
  };
}

/** A global variable's value before the load: part of its data section's content. */
export class InitialVariable {
  readonly spec: VariableSpec;
  readonly #object: ObjectSpec;

  /** Made by {@link ObjectSpec.variable}. */
  constructor(object: ObjectSpec, spec: VariableSpec) {
    this.#object = object;
    this.spec = spec;
  }

  /** The variable's bytes, in the object's byte order; writing to them writes the variable. */
  get bytes(): Uint8Array {
    const { map, offset, size } = this.spec;
    return (this.#object.map(map).data ?? new Uint8Array()).subarray(offset, offset + size);
  }

  /** Its value by its type. Throws ExplainedError `variable-without-type` if the object has no BTF for it. */
  get(): BtfValue {
    const { btf, typeId } = this.#typed();
    return decodeValue(btf, typeId, this.bytes);
  }

  /** Sets it by its type, or from bytes of its size. Throws ExplainedError `variable-without-type`, `variable-size`, `btf-value-…`. */
  set(value: BtfValue | Uint8Array): void {
    const { name, size } = this.spec;
    const bytes = value instanceof Uint8Array ? value : this.#encode(value);
    if (bytes.length !== size) {
      const why = `it takes ${size}`;
      throw new ExplainedError('variable-size', `${bytes.length} bytes for variable ${name}`, { why });
    }
    this.bytes.set(bytes);
  }

  #encode(value: BtfValue): Uint8Array {
    const { btf, typeId } = this.#typed();
    return encodeValue(btf, typeId, value, `variable ${this.spec.name}`);
  }

  #typed(): { btf: Btf; typeId: number } {
    const { btf } = this.#object;
    const { name, typeId } = this.spec;
    if (btf !== null && typeId !== null) return { btf, typeId };
    throw new ExplainedError('variable-without-type', `the type of variable ${name} is not known`, {
      where: this.#object.name,
      why: 'the object has no BTF for it',
      fix: 'compile it with -g, or read and set its bytes',
    });
  }
}
