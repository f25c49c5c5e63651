import type { AgentConnection } from '../agent/connection.ts';
import type { Btf } from '../btf/btf.ts';
import type { TypeId } from '../btf/types.ts';
import { type BtfValue, decodeValue, encodeValue } from '../btf/values.ts';
import { ExplainedError } from '../errors.ts';
import type { MapSpec } from '../object/spec.ts';
import { pinObject, unpin } from '../syscall/pin.ts';
import { type MapInfo, readMapInfo } from './map-info.ts';
import { RawMap } from './raw-map.ts';

export { perCpuStride } from './raw-map.ts';

/** A descriptor of the agent: of a map or program that is to be an element of another map. */
export interface Descriptor {
  readonly fd: number;
}

/**
 * A map in the kernel. {@link LoadedMap.get}, {@link LoadedMap.set} and {@link LoadedMap.typedEntries} take keys and values by their C types, where the object
 * says them; the methods of {@link RawMap} take bytes. It stays in the kernel until it is closed, and longer where it is pinned or a program uses it.
 */
export class LoadedMap extends RawMap implements AsyncDisposable {
  readonly #btf: Btf | null;
  readonly #pins: string[] = [];

  /** Made by `loadObject` and by `Kernel.openPinnedMap`. `btf` holds the types that `spec` names. */
  constructor(agent: AgentConnection, spec: MapSpec, fd: number, btf: Btf | null = null) {
    super(agent, spec, fd);
    this.#btf = btf;
  }

  /** The value by its type, or null if there is none; of a per-CPU map an array with that of each possible CPU. Throws ExplainedError `map-without-types`, `map-access`, `btf-value-…`; AgentError. */
  async get(key: BtfValue): Promise<BtfValue | null> {
    const { valueSize } = this.spec;
    if (this.perCpu) {
      const values = await this.lookupPerCpu(this.#encode('key', key));
      return values === null ? null : values.map((value) => this.#decode('value', value));
    }
    const value = await this.lookup(this.#encode('key', key));
    return value === null ? null : this.#decode('value', value.subarray(0, valueSize));
  }

  /** Sets a value by its type; of a per-CPU map an array with that of each possible CPU. Throws as {@link LoadedMap.get}. */
  async set(key: BtfValue, value: BtfValue, flags = 0): Promise<void> {
    const bytes = this.#encode('key', key);
    if (!this.perCpu) return this.update(bytes, this.#encode('value', value), flags);
    if (!Array.isArray(value)) throw this.#refusal('map-per-cpu', 'one value for all CPUs', 'give an array of them');
    const values = value.map((one: BtfValue) => this.#encode('value', one));
    return this.updatePerCpu(bytes, values, flags);
  }

  /** Removes an element by its key's type; false if there was none. Throws as {@link LoadedMap.get}. */
  remove(key: BtfValue): Promise<boolean> {
    return this.delete(this.#encode('key', key));
  }

  /** Every element by its types; of a per-CPU map with an array of values. Throws as {@link LoadedMap.get}. */
  async *typedEntries(): AsyncGenerator<[BtfValue, BtfValue], void, undefined> {
    for await (const [key, value] of this.entries()) {
      const decoded = this.perCpu
        ? this.splitPerCpu(value).map((one) => this.#decode('value', one))
        : this.#decode('value', value);
      yield [this.#decode('key', key), decoded];
    }
  }

  /** Puts a map into a map of maps, or a program into a program array; the map then holds it. A number stands for a key of 32 bits. */
  async setObject(key: Uint8Array | number, object: Descriptor, flags = 0): Promise<void> {
    await this.update(keyBytes(key), new Uint8Array(Uint32Array.of(object.fd).buffer), flags);
  }

  /** The id of the map in a map of maps (or program in a program array), or null (Linux 4.13). See `Kernel.openMapById`. */
  async lookupId(key: Uint8Array | number): Promise<number | null> {
    const value = await this.lookup(keyBytes(key));
    return value === null ? null : new DataView(value.buffer, value.byteOffset).getUint32(0, true);
  }

  /** What the kernel says of it. Throws ExplainedError `map-info`, AgentError. */
  async info(): Promise<MapInfo> {
    return readMapInfo(this.agent, this.fd);
  }

  /** Pins it at a path of a BPF file system, where it stays when it is closed. Throws ExplainedError `pin-exists`, `pin-failed`; AgentError. */
  async pin(path: string): Promise<void> {
    await pinObject(this.agent, this.fd, path);
    this.#pins.push(path);
  }

  /** Removes the pins that {@link LoadedMap.pin} made. Throws ExplainedError `pin-failed`; AgentError. */
  async unpin(): Promise<void> {
    for (const path of this.#pins.splice(0)) await unpin(this.agent, path);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  #encode(what: 'key' | 'value', value: BtfValue): Uint8Array {
    const { btf, typeId } = this.#typed(what);
    return encodeValue(btf, typeId, value, `${what} of map ${this.spec.name}`);
  }

  #decode(what: 'key' | 'value', bytes: Uint8Array): BtfValue {
    const { btf, typeId } = this.#typed(what);
    return decodeValue(btf, typeId, bytes);
  }

  #typed(what: 'key' | 'value'): { btf: Btf; typeId: TypeId } {
    const typeId = what === 'key' ? this.spec.keyTypeId : this.spec.valueTypeId;
    if (this.#btf !== null && typeId !== null) return { btf: this.#btf, typeId };
    throw new ExplainedError('map-without-types', `the type of the ${what} is not known`, {
      where: `map ${this.spec.name}`,
      fix: 'declare it with __type(key, …) and __type(value, …) and compile with -g, or use lookup and update',
    });
  }

  #refusal(code: string, what: string, why: string): ExplainedError {
    return new ExplainedError(code, what, { where: `map ${this.spec.name}`, why });
  }
}

function keyBytes(key: Uint8Array | number): Uint8Array {
  return typeof key === 'number' ? new Uint8Array(Uint32Array.of(key).buffer) : key;
}
