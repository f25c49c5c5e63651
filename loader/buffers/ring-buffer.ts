import type { AgentConnection, SharedRing } from '../agent/connection.ts';
import { ExplainedError } from '../errors.ts';
import { type ReadOptions, RecordQueue, type WaitOptions } from './record-queue.ts';
import { type Mapping, mapShared, Protection, unmapAll, waitForInput } from './shared-memory.ts';

/** A map that is a buffer, as far as reading it is concerned. */
export interface BufferMap {
  readonly agent: AgentConnection;
  /** The agent's descriptor. */
  readonly fd: number;
  readonly spec: { readonly name: string; readonly type: number; readonly maxEntries: number };
}

/** BPF_MAP_TYPE_RINGBUF. */
const RINGBUF = 27;
/** `struct bpf_ringbuf_hdr`: u32 length with flags, u32 page offset. */
const HEADER_SIZE = 8;
const DISCARDED = 0x4000_0000;
const LENGTH = 0x3fff_ffff;
/** Bytes of records that one request takes at most, unless one record is longer. */
const BATCH_BYTES = 4 << 20;
const LARGEST_RECORD = 62 << 20;

/**
 * A ring buffer (BPF_MAP_TYPE_RINGBUF, Linux 5.8) that is read: each record once, in the order in which programs reserved them; discarded ones are left out.
 * There must be one reader at a time, as the kernel has one position for all.
 *
 * ```ts
 * await using events = await RingBuffer.open(object.map('events'));
 * for await (const record of events) console.log(record);
 * ```
 */
export class RingBuffer implements AsyncDisposable, AsyncIterable<Uint8Array> {
  readonly #agent: AgentConnection;
  readonly #mappings: readonly Mapping[];
  readonly #ring: SharedRing;
  readonly #queue: RecordQueue<Uint8Array>;
  #closed = false;

  private constructor(map: BufferMap, mappings: readonly Mapping[], ring: SharedRing, options: WaitOptions) {
    this.#agent = map.agent;
    this.#mappings = mappings;
    this.#ring = ring;
    this.#queue = new RecordQueue(
      () => this.#take(map.spec.name),
      async (milliseconds) => void (await waitForInput(map.agent, [map.fd], milliseconds)),
      options,
    );
  }

  /** Maps the buffer into the agent's memory. Throws ExplainedError `not-a-ring-buffer`, `buffer-mapping`; AgentError. */
  static async open(map: BufferMap, options: WaitOptions = {}): Promise<RingBuffer> {
    const { agent, fd, spec } = map;
    if (spec.type !== RINGBUF) {
      throw new ExplainedError('not-a-ring-buffer', `map ${spec.name} is no ring buffer`, {
        fix: 'declare it with BPF_MAP_TYPE_RINGBUF',
      });
    }
    const { pageSize } = agent.hello;
    // ringbuf_map_mmap_kern (kernel/bpf/ringbuf.c): the consumer's page may be written; behind it the producer's page and the data, twice in a row.
    const consumer = await mapShared(agent, fd, { offset: 0, length: pageSize, protection: Protection.readWrite });
    const mappings = [consumer];
    try {
      const rest = { offset: pageSize, length: pageSize + 2 * spec.maxEntries, protection: Protection.read };
      const producer = await mapShared(agent, fd, rest);
      mappings.push(producer);
      const ring = {
        consumer: consumer.address,
        producer: producer.address,
        data: producer.address + pageSize,
        size: spec.maxEntries,
      };
      return new RingBuffer(map, mappings, ring, options);
    } catch (error) {
      await unmapAll(agent, mappings);
      throw error;
    }
  }

  /** The records that are there; waits for the first. None: the time is over, or the buffer is closed. Throws ExplainedError `record-too-long`, AgentError. */
  read(options: ReadOptions = {}): Promise<readonly Uint8Array[]> {
    return this.#queue.read(options);
  }

  /** Every record, as it comes, until {@link RingBuffer.close} or the signal. */
  [Symbol.asyncIterator](): AsyncGenerator<Uint8Array, void, undefined> {
    return this.#queue[Symbol.asyncIterator]();
  }

  /** Unmaps the buffer and ends iterations. The map stays. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    await this.#queue.close();
    await unmapAll(this.#agent, this.#mappings);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  async #take(name: string): Promise<Uint8Array[]> {
    let taken = await this.#agent.consume(this.#ring, 'bpf', BATCH_BYTES);
    if (taken.needed > LARGEST_RECORD) {
      throw new ExplainedError('record-too-long', `a record of ${taken.needed} bytes in ring buffer ${name}`, {
        why: `the agent sends at most ${LARGEST_RECORD}`,
      });
    }
    if (taken.needed > 0) taken = await this.#agent.consume(this.#ring, 'bpf', taken.needed);
    return splitRingRecords(taken.bytes);
  }
}

/** The records in a run of them with their headers, without those that were discarded. */
export function splitRingRecords(bytes: Uint8Array): Uint8Array[] {
  const records: Uint8Array[] = [];
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  for (let at = 0; at + HEADER_SIZE <= bytes.length; ) {
    const head = view.getUint32(at, true);
    const length = head & LENGTH;
    const start = at + HEADER_SIZE;
    if ((head & DISCARDED) === 0) records.push(bytes.subarray(start, start + length));
    at = start + Math.ceil(length / 8) * 8;
  }
  return records;
}
