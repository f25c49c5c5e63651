import type { Btf } from '../btf/btf.ts';
import { type BtfValue, decodeValue, encodeValue } from '../btf/values.ts';
import { ExplainedError } from '../errors.ts';
import type { LoadedMap } from '../maps/loaded-map.ts';
import type { VariableSpec } from '../object/spec.ts';

const FIRST_KEY = new Uint8Array(4);

/** The last write to each data section, done or under way. */
const turns = new WeakMap<LoadedMap, Promise<void>>();

/** A global variable of a loaded object; its bytes are in the object's byte order. */
export class LoadedVariable {
  readonly spec: VariableSpec;
  readonly #map: LoadedMap;
  readonly #btf: Btf | null;

  /** Made by `LoadedObject.variable`. */
  constructor(spec: VariableSpec, map: LoadedMap, btf: Btf | null) {
    this.spec = spec;
    this.#map = map;
    this.#btf = btf;
  }

  /** Its bytes as they are in the kernel now, little-endian. Throws as `LoadedMap.lookup`. */
  async read(): Promise<Uint8Array> {
    return (await this.#section()).slice(this.spec.offset, this.spec.offset + this.spec.size);
  }

  /** Its value by its type. Throws ExplainedError `variable-without-type` if the object has no BTF for it. */
  async get(): Promise<BtfValue> {
    const { btf, typeId } = this.#typed();
    return decodeValue(btf, typeId, await this.read());
  }

  /** Writes the whole variable. Other variables of its section that a program changes in the same moment may lose that change. */
  async write(bytes: Uint8Array): Promise<void> {
    if (bytes.length !== this.spec.size) {
      const why = `it takes ${this.spec.size}`;
      throw new ExplainedError('variable-size', `${bytes.length} bytes for variable ${this.spec.name}`, { why });
    }
    // Two variables that are set at the same time share the section: the second reads it after the first has written it.
    const turn = (turns.get(this.#map) ?? Promise.resolve()).then(async () => {
      const section = await this.#section();
      section.set(bytes, this.spec.offset);
      await this.#map.update(FIRST_KEY, section);
    });
    turns.set(
      this.#map,
      turn.catch(() => undefined),
    );
    return turn;
  }

  /** Sets it by its type, with the caveat of {@link LoadedVariable.write}. Throws ExplainedError `variable-without-type`, `btf-value-…`. */
  async set(value: BtfValue): Promise<void> {
    const { btf, typeId } = this.#typed();
    await this.write(encodeValue(btf, typeId, value, `variable ${this.spec.name}`));
  }

  async #section(): Promise<Uint8Array> {
    return (await this.#map.lookup(FIRST_KEY)) ?? new Uint8Array(this.#map.spec.valueSize);
  }

  #typed(): { btf: Btf; typeId: number } {
    const { typeId, name } = this.spec;
    if (this.#btf !== null && typeId !== null) return { btf: this.#btf, typeId };
    throw new ExplainedError('variable-without-type', `the type of variable ${name} is not known`, {
      why: 'the object has no BTF for it',
      fix: 'compile it with -g, or use read and write',
    });
  }
}
