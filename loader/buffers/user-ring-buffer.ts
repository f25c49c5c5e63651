import type { AgentConnection, SharedRing } from '../agent/connection.ts';
import { ExplainedError } from '../errors.ts';
import type { BufferMap } from './ring-buffer.ts';
import { type Mapping, mapShared, Protection, unmapAll } from './shared-memory.ts';

/** BPF_MAP_TYPE_USER_RINGBUF. */
const USER_RINGBUF = 31;
const HEADER_SIZE = 8;

/** A ring buffer that is written here and read by programs with `bpf_user_ringbuf_drain` (BPF_MAP_TYPE_USER_RINGBUF, Linux 6.1). There must be one writer at a time. */
export class UserRingBuffer implements AsyncDisposable {
  readonly #agent: AgentConnection;
  readonly #mappings: readonly Mapping[];
  readonly #ring: SharedRing;
  #closed = false;

  private constructor(agent: AgentConnection, mappings: readonly Mapping[], ring: SharedRing) {
    this.#agent = agent;
    this.#mappings = mappings;
    this.#ring = ring;
  }

  /** Maps the buffer into the agent's memory. Throws ExplainedError `not-a-ring-buffer`, `buffer-mapping`; AgentError. */
  static async open(map: BufferMap): Promise<UserRingBuffer> {
    const { agent, fd, spec } = map;
    if (spec.type !== USER_RINGBUF) {
      throw new ExplainedError('not-a-ring-buffer', `map ${spec.name} is no ring buffer that is written here`, {
        fix: 'declare it with BPF_MAP_TYPE_USER_RINGBUF',
      });
    }
    const { pageSize } = agent.hello;
    // ringbuf_map_mmap_user (kernel/bpf/ringbuf.c): the other way round, the consumer's page is the one that may only be read.
    const consumer = await mapShared(agent, fd, { offset: 0, length: pageSize, protection: Protection.read });
    const mappings = [consumer];
    try {
      const rest = { offset: pageSize, length: pageSize + 2 * spec.maxEntries, protection: Protection.readWrite };
      const producer = await mapShared(agent, fd, rest);
      mappings.push(producer);
      const [data, size] = [producer.address + pageSize, spec.maxEntries];
      return new UserRingBuffer(agent, mappings, {
        consumer: consumer.address,
        producer: producer.address,
        data,
        size,
      });
    } catch (error) {
      await unmapAll(agent, mappings);
      throw error;
    }
  }

  /**
   * Puts records behind one another; false, and none of them, if there is no room for all now.
   * Throws ExplainedError `record-too-long` for what never has room, `closed`; AgentError.
   */
  async write(...records: readonly Uint8Array[]): Promise<boolean> {
    if (this.#closed)
      throw new ExplainedError('closed', 'the user ring buffer was closed', { why: 'its memory is unmapped' });
    const framed = records.map((record) => {
      const bytes = new Uint8Array(HEADER_SIZE + Math.ceil(record.length / 8) * 8);
      new DataView(bytes.buffer).setUint32(0, record.length, true);
      bytes.set(record, HEADER_SIZE);
      return bytes;
    });
    const all = Buffer.concat(framed);
    if (all.length > this.#ring.size) {
      throw new ExplainedError('record-too-long', `${all.length} bytes of records for a user ring buffer`, {
        why: `it holds ${this.#ring.size}, with 8 for each record's header`,
        fix: 'write fewer at a time, or set maxEntries of the map before the load',
      });
    }
    return this.#agent.produce(this.#ring, all);
  }

  /** Unmaps the buffer. The map stays. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    await unmapAll(this.#agent, this.#mappings);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}
