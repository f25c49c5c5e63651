import type { AgentConnection, SyscallBuffer } from '../agent/connection.ts';
import { describeErrno, errnoName } from '../agent/errno.ts';
import { ExplainedError } from '../errors.ts';
import type { MapSpec } from '../object/spec.ts';
import { AttrWriter, input, output } from '../syscall/attr.ts';
import { BpfCommand, bpf } from '../syscall/bpf.ts';
import { possibleCpus } from '../syscall/cpus.ts';

/** BPF_MAP_TYPE_PERCPU_HASH, PERCPU_ARRAY, LRU_PERCPU_HASH, PERCPU_CGROUP_STORAGE (`enum bpf_map_type`). */
const PER_CPU_TYPES: ReadonlySet<number> = new Set([5, 6, 10, 21]);

/** A map in the kernel. Keys and values are bytes in the kernel's byte order. */
export class LoadedMap {
  readonly spec: MapSpec;
  /** The agent's descriptor. */
  readonly fd: number;
  readonly #agent: AgentConnection;

  constructor(agent: AgentConnection, spec: MapSpec, fd: number) {
    this.#agent = agent;
    this.spec = spec;
    this.fd = fd;
  }

  /** True if each CPU has its own value: use {@link LoadedMap.lookupPerCpu} and {@link LoadedMap.updatePerCpu}. */
  get perCpu(): boolean {
    return PER_CPU_TYPES.has(this.spec.type);
  }

  /** The value, or null if there is none. Throws ExplainedError `map-access`, `map-key-size`, `map-per-cpu`. */
  async lookup(key: Uint8Array): Promise<Uint8Array | null> {
    this.#refuseUnless(!this.perCpu);
    return this.#lookup(key, this.spec.valueSize);
  }

  /** One value for each possible CPU, or null if there is none. */
  async lookupPerCpu(key: Uint8Array): Promise<Uint8Array[] | null> {
    this.#refuseUnless(this.perCpu);
    const { valueSize } = this.spec;
    const [stride, cpus] = [perCpuStride(valueSize), await possibleCpus(this.#agent)];
    const all = await this.#lookup(key, stride * cpus);
    if (all === null) return null;
    return Array.from({ length: cpus }, (_, cpu) => all.slice(cpu * stride, cpu * stride + valueSize));
  }

  /** Sets a value. `flags`: BPF_ANY 0, BPF_NOEXIST 1, BPF_EXIST 2. */
  async update(key: Uint8Array, value: Uint8Array, flags = 0): Promise<void> {
    this.#refuseUnless(!this.perCpu);
    this.#checkSize('value', value, this.spec.valueSize);
    await this.#update(key, value, flags);
  }

  /** Sets the value of each possible CPU; as many values as there are such CPUs. */
  async updatePerCpu(key: Uint8Array, values: readonly Uint8Array[], flags = 0): Promise<void> {
    this.#refuseUnless(this.perCpu);
    const [stride, cpus] = [perCpuStride(this.spec.valueSize), await possibleCpus(this.#agent)];
    if (values.length !== cpus) throw this.#refusal('map-per-cpu', `${values.length} values for ${cpus} possible CPUs`);
    const all = new Uint8Array(stride * cpus);
    for (const [cpu, value] of values.entries()) {
      this.#checkSize('value', value, this.spec.valueSize);
      all.set(value, cpu * stride);
    }
    await this.#update(key, all, flags);
  }

  /** Removes an element; false if there was none. */
  async delete(key: Uint8Array): Promise<boolean> {
    const errno = await this.#element(BpfCommand.mapDelete, key, null);
    if (errno !== 0 && errnoName(errno) !== 'ENOENT') throw this.#failed('delete from', errno);
    return errno === 0;
  }

  /** All keys. Elements that come or go meanwhile may be missed. */
  async keys(): Promise<Uint8Array[]> {
    const keys: Uint8Array[] = [];
    let previous: Uint8Array | null = null;
    while (keys.length <= this.spec.maxEntries) {
      const next = output(this.spec.keySize);
      const errno: number = await this.#element(BpfCommand.mapGetNextKey, previous, next);
      if (errnoName(errno) === 'ENOENT') return keys;
      if (errno !== 0) throw this.#failed('list the keys of', errno);
      keys.push(next.bytes);
      previous = next.bytes;
    }
    return keys;
  }

  /** Forbids further writes from user space (Linux 5.2). Returns the errno, 0 for success. */
  async freeze(): Promise<number> {
    return (await bpf(this.#agent, BpfCommand.mapFreeze, new AttrWriter().u32(this.fd).finish())).errno;
  }

  async #lookup(key: Uint8Array, size: number): Promise<Uint8Array | null> {
    const value = output(size);
    const errno = await this.#element(BpfCommand.mapLookup, key, value);
    if (errnoName(errno) === 'ENOENT') return null;
    if (errno !== 0) throw this.#failed('read', errno);
    return value.bytes;
  }

  async #update(key: Uint8Array, value: Uint8Array, flags: number): Promise<void> {
    const errno = await this.#element(BpfCommand.mapUpdate, key, input(value), flags);
    if (errno !== 0) throw this.#failed('write to', errno);
  }

  /** BPF_MAP_{LOOKUP,UPDATE,DELETE}_ELEM and GET_NEXT_KEY: fd, padding, key, value or next key, flags. */
  async #element(command: number, key: Uint8Array | null, value: SyscallBuffer | null, flags = 0): Promise<number> {
    if (key !== null) this.#checkSize('key', key, this.spec.keySize);
    const attr = new AttrWriter().u32(this.fd).u32(0);
    attr
      .pointer(key === null ? null : input(key))
      .pointer(value)
      .u64(BigInt(flags));
    return (await bpf(this.#agent, command, attr.finish())).errno;
  }

  #checkSize(what: string, bytes: Uint8Array, size: number): void {
    if (bytes.length === size) return;
    throw this.#refusal(`map-${what}-size`, `a ${what} of ${bytes.length} bytes`, `the map's take ${size}`);
  }

  #refuseUnless(right: boolean): void {
    if (right) return;
    const why = this.perCpu ? 'each CPU has its own value' : 'all CPUs share one value';
    throw this.#refusal('map-per-cpu', 'the wrong kind of access', why);
  }

  #failed(what: string, errno: number): ExplainedError {
    return this.#refusal('map-access', `cannot ${what} the map`, describeErrno(errno));
  }

  #refusal(code: string, what: string, why?: string): ExplainedError {
    return new ExplainedError(code, what, { where: `map ${this.spec.name}`, ...(why === undefined ? {} : { why }) });
  }
}

/** Bytes from one CPU's value to the next: a multiple of 8 (bpf_map_value_size, kernel/bpf/syscall.c). */
export function perCpuStride(valueSize: number): number {
  return Math.ceil(valueSize / 8) * 8;
}
