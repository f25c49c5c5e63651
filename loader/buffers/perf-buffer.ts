import type { SharedRing } from '../agent/connection.ts';
import { describeErrno, errnoName } from '../agent/errno.ts';
import { ExplainedError } from '../errors.ts';
import { enablePerfEvent, openPerfEvent } from '../links/perf-event.ts';
import { AttrWriter, input } from '../syscall/attr.ts';
import { BpfCommand, bpf, closeAll } from '../syscall/bpf.ts';
import { onlineCpus } from '../syscall/cpus.ts';
import { type ReadOptions, RecordQueue, type WaitOptions } from './record-queue.ts';
import type { BufferMap } from './ring-buffer.ts';
import { type Mapping, mapShared, Protection, unmapAll, waitForInput } from './shared-memory.ts';

/** What a program wrote with `bpf_perf_event_output`. */
export interface PerfRecord {
  /** Where it ran. */
  readonly cpu: number;
  /** What it wrote, filled up with bytes of no meaning to 4 below a multiple of 8, as the kernel lays it out. */
  readonly bytes: Uint8Array;
}

/** How a perf buffer is made. */
export interface PerfBufferOptions extends WaitOptions {
  /** Pages of data for each CPU, a power of two. Default: 64. */
  readonly pages?: number;
  /** Called with how many records a CPU had no room for, as soon as that is known. */
  readonly onLost?: (cpu: number, count: bigint) => void;
}

const PERF_EVENT_ARRAY = 4;
const PERF_TYPE_SOFTWARE = 1;
const PERF_COUNT_SW_BPF_OUTPUT = 10n;
const PERF_SAMPLE_RAW = 1n << 10n;
const RECORD_LOST = 2;
const RECORD_SAMPLE = 9;
/** `struct perf_event_mmap_page`: data_head and data_tail. */
const DATA_HEAD = 1024;
const DATA_TAIL = 1032;
const DEFAULT_PAGES = 64;
const BATCH_BYTES = 4 << 20;

interface CpuBuffer {
  readonly cpu: number;
  readonly event: number;
  readonly mapping: Mapping;
  readonly ring: SharedRing;
}

/**
 * Perf buffers, one for each CPU that is online, that are read (BPF_MAP_TYPE_PERF_EVENT_ARRAY): each record once; of one CPU in order, of several as they come.
 *
 * ```ts
 * await using events = await PerfBuffer.open(object.map('events'));
 * for await (const { cpu, bytes } of events) console.log(cpu, bytes);
 * ```
 */
export class PerfBuffer implements AsyncDisposable, AsyncIterable<PerfRecord> {
  /** Records that there was no room for, so far. */
  lost = 0n;
  readonly #map: BufferMap;
  readonly #buffers: readonly CpuBuffer[];
  readonly #onLost: (cpu: number, count: bigint) => void;
  readonly #queue: RecordQueue<PerfRecord>;
  #closed = false;

  private constructor(map: BufferMap, buffers: readonly CpuBuffer[], options: PerfBufferOptions) {
    this.#map = map;
    this.#buffers = buffers;
    this.#onLost = options.onLost ?? (() => undefined);
    const events = buffers.map(({ event }) => event);
    this.#queue = new RecordQueue(
      () => this.#take(),
      async (milliseconds) => void (await waitForInput(map.agent, events, milliseconds)),
      options,
    );
  }

  /** Opens an event on each CPU, maps its buffer and puts it into the map. Throws ExplainedError `not-a-perf-buffer`, `perf-buffer`, `buffer-mapping`; AgentError. */
  static async open(map: BufferMap, options: PerfBufferOptions = {}): Promise<PerfBuffer> {
    const { agent, spec } = map;
    const { pages = DEFAULT_PAGES } = options;
    if (spec.type !== PERF_EVENT_ARRAY) {
      throw new ExplainedError('not-a-perf-buffer', `map ${spec.name} is no perf buffer`, {
        fix: 'declare it with BPF_MAP_TYPE_PERF_EVENT_ARRAY',
      });
    }
    if (pages < 1 || !Number.isInteger(Math.log2(pages))) {
      throw new ExplainedError('perf-buffer', `${pages} pages for a perf buffer`, { fix: 'take a power of two' });
    }
    const buffers: CpuBuffer[] = [];
    try {
      for (const cpu of await onlineCpus(agent)) {
        if (cpu >= spec.maxEntries) continue;
        const buffer = await openCpu(map, cpu, pages);
        if (buffer !== null) buffers.push(buffer);
      }
      return new PerfBuffer(map, buffers, options);
    } catch (error) {
      await closeBuffers(map, buffers);
      throw error;
    }
  }

  /** The records that are there; waits for the first. None: the time is over, or the buffer is closed. Throws AgentError. */
  read(options: ReadOptions = {}): Promise<readonly PerfRecord[]> {
    return this.#queue.read(options);
  }

  /** Every record, as it comes, until {@link PerfBuffer.close} or the signal. */
  [Symbol.asyncIterator](): AsyncGenerator<PerfRecord, void, undefined> {
    return this.#queue[Symbol.asyncIterator]();
  }

  /** Takes the events out of the map and ends iterations. The map stays. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    await this.#queue.close();
    await closeBuffers(this.#map, this.#buffers);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  async #take(): Promise<PerfRecord[]> {
    const records: PerfRecord[] = [];
    for (const { cpu, ring } of this.#buffers) {
      const { bytes } = await this.#map.agent.consume(ring, 'perf', BATCH_BYTES);
      for (const record of splitPerfRecords(bytes)) {
        if (record.kind === 'sample') records.push({ cpu, bytes: record.bytes });
        if (record.kind !== 'lost') continue;
        this.lost += record.count;
        this.#onLost(cpu, record.count);
      }
    }
    return records;
  }
}

/** A record as perf_event_open(2) lays it out. */
export type RawPerfRecord =
  | { readonly kind: 'sample'; readonly bytes: Uint8Array }
  | { readonly kind: 'lost'; readonly count: bigint };

/** Header and `u32 size`; header, `u64 id` and `u64 lost`. */
const SAMPLE_HEAD = 12;
const LOST_SIZE = 24;

/** The samples and the losses in a run of records with their headers; other kinds of records are left out. */
export function splitPerfRecords(bytes: Uint8Array): RawPerfRecord[] {
  const records: RawPerfRecord[] = [];
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  for (let at = 0; at + 8 <= bytes.length; ) {
    const [type, size] = [view.getUint32(at, true), view.getUint16(at + 6, true)];
    if (size < 8 || at + size > bytes.length) break;
    // PERF_SAMPLE_RAW: u32 size, then the bytes. A loss: u64 id, u64 how many.
    if (type === RECORD_SAMPLE && size >= SAMPLE_HEAD) {
      const start = at + SAMPLE_HEAD;
      const length = Math.min(view.getUint32(at + 8, true), at + size - start);
      records.push({ kind: 'sample', bytes: bytes.subarray(start, start + length) });
    }
    if (type === RECORD_LOST && size >= LOST_SIZE) {
      records.push({ kind: 'lost', count: view.getBigUint64(at + 16, true) });
    }
    at += size;
  }
  return records;
}

/** Null for a CPU that went offline meanwhile. */
async function openCpu(map: BufferMap, cpu: number, pages: number): Promise<CpuBuffer | null> {
  const { agent, spec } = map;
  const { pageSize } = agent.hello;
  const attr = {
    type: PERF_TYPE_SOFTWARE,
    config: PERF_COUNT_SW_BPF_OUTPUT,
    sample: 1,
    sampleType: PERF_SAMPLE_RAW,
    wakeupEvents: 1,
  };
  const refuse = (errno: number): ExplainedError =>
    new ExplainedError('perf-buffer', `no perf buffer for CPU ${cpu}`, {
      where: `map ${spec.name}`,
      why: describeErrno(errno),
      ...(['EPERM', 'EACCES'].includes(errnoName(errno)) ? { fix: 'give the agent CAP_PERFMON, or root' } : {}),
    });
  const { value: event, errno } = await openPerfEvent(agent, attr, { pid: -1, cpu });
  if (errnoName(errno) === 'ENODEV') return null;
  if (errno !== 0) throw refuse(errno);
  let mapping: Mapping | undefined;
  try {
    const length = (1 + pages) * pageSize;
    mapping = await mapShared(agent, event, { offset: 0, length, protection: Protection.readWrite });
    const put = await setElement(map, BpfCommand.mapUpdate, cpu, event);
    const enabled = put === 0 ? await enablePerfEvent(agent, event) : put;
    if (enabled !== 0) throw refuse(enabled);
  } catch (error) {
    if (mapping !== undefined) await unmapAll(agent, [mapping]);
    await closeAll(agent, [event]);
    throw error;
  }
  const { address } = mapping;
  const ring = {
    consumer: address + DATA_TAIL,
    producer: address + DATA_HEAD,
    data: address + pageSize,
    size: pages * pageSize,
  };
  return { cpu, event, mapping, ring };
}

async function closeBuffers(map: BufferMap, buffers: readonly CpuBuffer[]): Promise<void> {
  for (const { cpu, event, mapping } of buffers) {
    // A map that is closed has let go of the events, and so has an agent that is gone (perf_event_fd_array_release, kernel/bpf/arraymap.c).
    await setElement(map, BpfCommand.mapDelete, cpu, null).catch(() => undefined);
    await unmapAll(map.agent, [mapping]);
    await closeAll(map.agent, [event]);
  }
}

async function setElement(map: BufferMap, command: number, cpu: number, event: number | null): Promise<number> {
  const word = (value: number) => input(new Uint8Array(Uint32Array.of(value).buffer));
  const value = event === null ? null : word(event);
  const attr = new AttrWriter().u32(map.fd).u32(0).pointer(word(cpu)).pointer(value).u64(0n).finish();
  return (await bpf(map.agent, command, attr)).errno;
}
