import type { AgentConnection, SyscallBuffer } from '../agent/connection.ts';
import { errnoName } from '../agent/errno.ts';
import { ExplainedError } from '../errors.ts';
import type { MapSpec } from '../object/spec.ts';
import { AttrWriter, input, output } from '../syscall/attr.ts';
import { BpfCommand, bpf } from '../syscall/bpf.ts';
import { possibleCpus } from '../syscall/cpus.ts';
import { OwnedDescriptor } from '../syscall/owned-descriptor.ts';
import { accessError, type MapAction } from './access-error.ts';
import { deleteBatch, lookupBatches, type RawElement, updateBatches } from './batch.ts';
import { callElement } from './elements.ts';

/** BPF_MAP_TYPE_PERCPU_HASH, PERCPU_ARRAY, LRU_PERCPU_HASH, PERCPU_CGROUP_STORAGE (`enum bpf_map_type`). */
const PER_CPU_TYPES: ReadonlySet<number> = new Set([5, 6, 10, 21]);

/** Keys that one request removes: the rest of a batch that stops is removed one by one. */
const DELETED_AT_ONCE = 1024;

/** What goes with each update. */
export interface UpdateFlags {
  /** BPF_ANY 0 (default), BPF_NOEXIST 1, BPF_EXIST 2, with BPF_F_LOCK 4. */
  readonly flags?: number;
}

/** A map in the kernel, by the bytes of its keys and values, which are in the kernel's byte order. */
export class RawMap {
  readonly spec: MapSpec;
  readonly #descriptor: OwnedDescriptor;
  /** Where {@link RawMap.fd} is a descriptor. */
  readonly agent: AgentConnection;

  constructor(agent: AgentConnection, spec: MapSpec, fd: number) {
    this.agent = agent;
    this.spec = spec;
    this.#descriptor = new OwnedDescriptor(agent, fd, `map ${spec.name}`);
  }

  /** The agent's descriptor. Throws ExplainedError `closed` once the map is closed, as every method that needs it does. */
  get fd(): number {
    return this.#descriptor.fd;
  }

  /** Closes its descriptor; a second call does nothing. The map itself goes when nothing else holds it. */
  async close(): Promise<void> {
    await this.#descriptor.close();
  }

  /** True if each CPU has its own value: use {@link RawMap.lookupPerCpu} and {@link RawMap.updatePerCpu}. */
  get perCpu(): boolean {
    return PER_CPU_TYPES.has(this.spec.type);
  }

  /** The value, or null if there is none. `flags`: BPF_F_LOCK 4. Throws ExplainedError `map-access`, `map-key-size`, `map-per-cpu`. */
  async lookup(key: Uint8Array, flags = 0): Promise<Uint8Array | null> {
    this.#refuseUnless(!this.perCpu);
    return this.#read(BpfCommand.mapLookup, key, this.spec.valueSize, flags);
  }

  /** One value for each possible CPU, or null if there is none. */
  async lookupPerCpu(key: Uint8Array): Promise<Uint8Array[] | null> {
    this.#refuseUnless(this.perCpu);
    const all = await this.#read(BpfCommand.mapLookup, key, await this.#wholeValueSize(), 0);
    return all === null ? null : this.splitPerCpu(all);
  }

  /** The value, which is taken out at the same time, or null if there is none. Hashes since Linux 5.14. Throws as {@link RawMap.lookup}. */
  async lookupAndDelete(key: Uint8Array): Promise<Uint8Array | null> {
    this.#refuseUnless(!this.perCpu);
    return this.#read(BpfCommand.mapLookupAndDelete, key, this.spec.valueSize, 0);
  }

  /** Sets a value. `flags`: BPF_ANY 0, BPF_NOEXIST 1, BPF_EXIST 2. */
  async update(key: Uint8Array, value: Uint8Array, flags = 0): Promise<void> {
    this.#refuseUnless(!this.perCpu);
    this.#checkSize('value', value, this.spec.valueSize);
    await this.#write(key, value, flags);
  }

  /** Sets the value of each possible CPU; as many values as there are such CPUs. */
  async updatePerCpu(key: Uint8Array, values: readonly Uint8Array[], flags = 0): Promise<void> {
    await this.#write(key, await this.#joinPerCpu(values), flags);
  }

  /** Removes an element; false if there was none. */
  async delete(key: Uint8Array): Promise<boolean> {
    this.#checkSize('key', key, this.spec.keySize);
    const errno = await callElement(this, BpfCommand.mapDelete, key, null);
    if (errno !== 0 && errnoName(errno) !== 'ENOENT') throw this.#failed('delete from', errno);
    return errno === 0;
  }

  /** All keys. Elements that come or go meanwhile may be missed. */
  async keys(): Promise<Uint8Array[]> {
    const keys: Uint8Array[] = [];
    for await (const key of this.#eachKey()) keys.push(key);
    return keys;
  }

  /** Every element, many in one request where the kernel can (Linux 5.6). Elements that come or go meanwhile may be missed. A per-CPU map's values are those of all CPUs, one after another. */
  async *entries(): AsyncGenerator<RawElement, void, undefined> {
    const sizes = { key: this.spec.keySize, value: await this.#wholeValueSize() };
    const failed = (errno: number): Error => this.#failed('read', errno);
    for await (const elements of lookupBatches(this, sizes, { failed })) {
      if (elements !== null) yield* elements;
      else yield* this.#eachElement(sizes.value);
    }
  }

  [Symbol.asyncIterator](): AsyncGenerator<RawElement, void, undefined> {
    return this.entries();
  }

  /** Takes every element out of a hash. Throws ExplainedError `map-access`, AgentError. */
  async *drain(): AsyncGenerator<RawElement, void, undefined> {
    const sizes = { key: this.spec.keySize, value: await this.#wholeValueSize() };
    const failed = (errno: number): Error => this.#failed('take elements out of', errno);
    for await (const elements of lookupBatches(this, sizes, { remove: true, failed })) {
      if (elements !== null) {
        yield* elements;
        continue;
      }
      for (const key of await this.keys()) {
        const value = await this.#read(BpfCommand.mapLookup, key, sizes.value, 0);
        if (value !== null && (await this.delete(key))) yield [key, value];
      }
    }
  }

  /** Sets many values, in few requests where the kernel can (Linux 5.6). What comes before one that is refused is set. Throws as {@link RawMap.update}. */
  async updateMany(elements: Iterable<RawElement>, { flags = 0 }: UpdateFlags = {}): Promise<void> {
    const value = await this.#wholeValueSize();
    const all = [...elements];
    for (const [key, bytes] of all) {
      this.#checkSize('key', key, this.spec.keySize);
      this.#checkSize('value', bytes, value);
    }
    const failed = (errno: number): Error => this.#failed('write to', errno);
    if (await updateBatches(this, { key: this.spec.keySize, value }, all, { flags, failed })) return;
    for (const [key, bytes] of all) await this.#write(key, bytes, flags);
  }

  /** Removes many elements; those that are not there are no error. Returns how many were removed. */
  async deleteMany(keys: Iterable<Uint8Array>): Promise<number> {
    const all = [...keys];
    for (const key of all) this.#checkSize('key', key, this.spec.keySize);
    let removed = 0;
    for (let at = 0; at < all.length; at += DELETED_AT_ONCE) {
      const part = all.slice(at, at + DELETED_AT_ONCE);
      const { errno, count } = await deleteBatch(this, part);
      removed += count;
      if (errno === 0) continue;
      // The batch stops at one that is not there, and more may be missing; kernels before 5.6 begin none.
      for (const key of part.slice(count)) if (await this.delete(key)) removed++;
    }
    return removed;
  }

  /** Puts a value into a queue, stack or bloom filter. `replace`: the oldest goes if it is full (BPF_EXIST). */
  async push(value: Uint8Array, options: { readonly replace?: boolean } = {}): Promise<void> {
    this.#checkSize('value', value, this.spec.valueSize);
    const errno = await callElement(this, BpfCommand.mapUpdate, null, input(value), options.replace === true ? 2 : 0);
    if (errno !== 0) throw this.#failed('push to', errno);
  }

  /** Takes the next value from a queue or stack; null if it is empty. */
  pop(): Promise<Uint8Array | null> {
    return this.#read(BpfCommand.mapLookupAndDelete, null, this.spec.valueSize, 0);
  }

  /** The next value of a queue or stack, which stays; null if it is empty. */
  peek(): Promise<Uint8Array | null> {
    return this.#read(BpfCommand.mapLookup, null, this.spec.valueSize, 0);
  }

  /** Whether a bloom filter may hold a value; false is certain (Linux 5.16). */
  async mayHold(value: Uint8Array): Promise<boolean> {
    this.#checkSize('value', value, this.spec.valueSize);
    const buffer: SyscallBuffer = { bytes: value.slice(), direction: 'inout' };
    const errno = await callElement(this, BpfCommand.mapLookup, null, buffer);
    if (errno !== 0 && errnoName(errno) !== 'ENOENT') throw this.#failed('read', errno);
    return errno === 0;
  }

  /** Forbids further writes from user space (Linux 5.2). Returns the errno, 0 for success. */
  async freeze(): Promise<number> {
    return (await bpf(this.agent, BpfCommand.mapFreeze, new AttrWriter().u32(this.fd).finish())).errno;
  }

  /** The values of all CPUs as {@link RawMap.entries} gives them, one by one. */
  splitPerCpu(all: Uint8Array): Uint8Array[] {
    const { valueSize } = this.spec;
    const stride = perCpuStride(valueSize);
    return Array.from({ length: all.length / stride }, (_, cpu) => all.slice(cpu * stride, cpu * stride + valueSize));
  }

  async #joinPerCpu(values: readonly Uint8Array[]): Promise<Uint8Array> {
    this.#refuseUnless(this.perCpu);
    const [stride, cpus] = [perCpuStride(this.spec.valueSize), await possibleCpus(this.agent)];
    if (values.length !== cpus) throw this.#refusal('map-per-cpu', `${values.length} values for ${cpus} possible CPUs`);
    const all = new Uint8Array(stride * cpus);
    for (const [cpu, value] of values.entries()) {
      this.#checkSize('value', value, this.spec.valueSize);
      all.set(value, cpu * stride);
    }
    return all;
  }

  /** Bytes of a value as the kernel hands it over. */
  async #wholeValueSize(): Promise<number> {
    const { valueSize } = this.spec;
    return this.perCpu ? perCpuStride(valueSize) * (await possibleCpus(this.agent)) : valueSize;
  }

  async *#eachKey(): AsyncGenerator<Uint8Array, void, undefined> {
    let previous: Uint8Array | null = null;
    // Storage at control groups has no max_entries.
    const most = this.spec.maxEntries === 0 ? Number.POSITIVE_INFINITY : this.spec.maxEntries;
    for (let count = 0; count <= most; count++) {
      const next = output(this.spec.keySize);
      const errno: number = await callElement(this, BpfCommand.mapGetNextKey, previous, next);
      if (errnoName(errno) === 'ENOENT') return;
      if (errno !== 0) throw this.#failed('list the keys of', errno);
      yield next.bytes;
      previous = next.bytes;
    }
  }

  async *#eachElement(valueSize: number): AsyncGenerator<RawElement, void, undefined> {
    for await (const key of this.#eachKey()) {
      const value = await this.#read(BpfCommand.mapLookup, key, valueSize, 0);
      if (value !== null) yield [key, value];
    }
  }

  async #read(command: number, key: Uint8Array | null, size: number, flags: number): Promise<Uint8Array | null> {
    if (key !== null) this.#checkSize('key', key, this.spec.keySize);
    const value = output(size);
    const errno = await callElement(this, command, key, value, flags);
    if (errnoName(errno) === 'ENOENT') return null;
    if (errno !== 0) throw this.#failed('read', errno);
    return value.bytes;
  }

  async #write(key: Uint8Array, value: Uint8Array, flags: number): Promise<void> {
    this.#checkSize('key', key, this.spec.keySize);
    const errno = await callElement(this, BpfCommand.mapUpdate, key, input(value), flags);
    if (errno !== 0) throw this.#failed('write to', errno);
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

  #failed(action: MapAction, errno: number): ExplainedError {
    return accessError(this.spec, action, errno);
  }

  #refusal(code: string, what: string, why?: string): ExplainedError {
    return new ExplainedError(code, what, { where: `map ${this.spec.name}`, ...(why === undefined ? {} : { why }) });
  }
}

/** Bytes from one CPU's value to the next: a multiple of 8 (bpf_map_value_size, kernel/bpf/syscall.c). */
export function perCpuStride(valueSize: number): number {
  return Math.ceil(valueSize / 8) * 8;
}
