import type { Duplex, Readable, Writable } from 'node:stream';
import { AgentError } from './agent-error.ts';
import type {
  AgentConnection,
  AgentHello,
  ConsumedRecords,
  ExecuteRequest,
  ExecuteResult,
  SharedRing,
  SyscallRequest,
  SyscallResult,
} from './connection.ts';
import { describeErrno, errnoNumber } from './errno.ts';
import { feedInput } from './execute-input.ts';
import { FrameChannel, type SendMore } from './frame-channel.ts';
import {
  DONE_STAGES,
  ExecuteFlag,
  encodeStrings,
  encodeU32,
  FrameFlag,
  FrameType,
  PROTOCOL_VERSION,
  RingKind,
} from './protocol.ts';
import { decodeConsumed, encodeRing } from './ring-frame.ts';
import { decodeSyscallResult, encodeSyscall } from './syscall-frame.ts';

/** Milliseconds that a request may take unless it says otherwise. */
const DEFAULT_TIMEOUT_MS = 30_000;
/** What an EXECUTE's own time limit is given on top, for the answer to arrive. */
const EXECUTE_GRACE_MS = 10_000;
const DEFAULT_MAX_BYTES = 1 << 30;

/** What carries the frames: one stream for both ways, or one for each. */
export type AgentStream = Duplex | { readonly readable: Readable; readonly writable: Writable };

/** How to speak to an agent. */
export interface ConnectOptions {
  /** Milliseconds for the hello; 30 seconds if absent. */
  readonly timeoutMs?: number;
  /** Milliseconds for each request that sets no deadline of its own; 30 seconds if absent. */
  readonly requestTimeoutMs?: number;
  /** Who is at the other end, for messages. */
  readonly name?: string;
  /** More to say when the connection is lost, such as what the agent wrote to its standard error. */
  readonly diagnose?: () => string | undefined;
  /** Called once by {@link AgentConnection.close}, after the goodbye. */
  readonly onClose?: () => Promise<void>;
}

/**
 * Greets the agent at the other end of a stream and returns the connection. The version it speaks is checked.
 * Throws AgentError (`agent-timeout`, `agent-lost`, `agent-protocol`, `agent-version`); the stream is then destroyed.
 */
export async function connectAgent(stream: AgentStream, options: ConnectOptions = {}): Promise<AgentConnection> {
  const { timeoutMs = DEFAULT_TIMEOUT_MS, requestTimeoutMs = DEFAULT_TIMEOUT_MS, name = 'agent' } = options;
  const { diagnose = () => undefined } = options;
  const [readable, writable] =
    'readable' in stream && typeof stream.readable === 'object'
      ? [stream.readable, stream.writable as Writable]
      : [stream as Duplex, stream as Duplex];
  const channel = new FrameChannel(readable, writable, name, diagnose);
  const hello = await greet(channel, timeoutMs, name);
  return new Connection(channel, hello, requestTimeoutMs, options.onClose);
}

async function greet(channel: FrameChannel, timeoutMs: number, name: string): Promise<AgentHello> {
  const request = { type: FrameType.hello, payload: encodeU32(PROTOCOL_VERSION), timeoutMs, what: 'hello' };
  const payload = await channel.request(request, (frame) => (frame.type === FrameType.welcome ? frame.payload : null));
  const view = new DataView(payload.buffer, payload.byteOffset, payload.length);
  const [machine, release] = payload.length < 18 ? [] : new TextDecoder().decode(payload.subarray(16)).split('\0');
  if (machine === undefined || release === undefined) {
    throw channel.fail(new AgentError('agent-protocol', 'the welcome is too short', { where: name }));
  }
  const protocolVersion = view.getUint32(0, true);
  if (protocolVersion !== PROTOCOL_VERSION) {
    const what = `the agent speaks protocol version ${protocolVersion}, this host version ${PROTOCOL_VERSION}`;
    throw channel.fail(new AgentError('agent-version', what, { where: name, fix: 'build the agent anew' }));
  }
  return {
    protocolVersion,
    machine,
    release,
    pageSize: view.getUint32(4, true),
    cpus: view.getUint32(8, true),
    maxFrame: view.getUint32(12, true),
  };
}

class Connection implements AgentConnection {
  readonly hello: AgentHello;
  readonly #channel: FrameChannel;
  readonly #timeoutMs: number;
  readonly #onClose: (() => Promise<void>) | undefined;
  #closed: Promise<void> | null = null;

  constructor(channel: FrameChannel, hello: AgentHello, timeoutMs: number, onClose?: () => Promise<void>) {
    this.hello = hello;
    this.#channel = channel;
    this.#timeoutMs = timeoutMs;
    this.#onClose = onClose;
  }

  async syscall(request: SyscallRequest, options: { readonly timeoutMs?: number } = {}): Promise<SyscallResult> {
    const { payload, buffers } = encodeSyscall(request);
    const { timeoutMs = this.#timeoutMs } = options;
    const call = { type: FrameType.syscall, payload, timeoutMs, what: `system call ${request.number}` };
    return this.#channel.request(call, (frame) =>
      frame.type === FrameType.syscallResult ? decodeSyscallResult(frame.payload, buffers) : null,
    );
  }

  async readFile(
    path: string,
    options: { readonly timeoutMs?: number; readonly maxBytes?: number } = {},
  ): Promise<Uint8Array> {
    const { timeoutMs = this.#timeoutMs, maxBytes = DEFAULT_MAX_BYTES } = options;
    const limit = encodeU32(maxBytes % 2 ** 32, Math.floor(maxBytes / 2 ** 32));
    const payload = Buffer.concat([limit, encodeStrings([path])]);
    const chunks: Uint8Array[] = [];
    const call = { type: FrameType.readFile, payload, timeoutMs, what: `reading ${path}` };
    const done = await this.#channel.request(call, (frame) => {
      if (frame.type === FrameType.data) chunks.push(frame.payload);
      if (frame.type === FrameType.data) return 'more';
      return frame.type === FrameType.done ? decodeDone(frame.payload) : null;
    });
    if (done.errno !== 0) throw callFailed(`cannot ${done.stage} ${path}`, done.errno, this.#channel.name);
    return Buffer.concat(chunks);
  }

  async execute(request: ExecuteRequest): Promise<ExecuteResult> {
    const output = { stdout: [] as Uint8Array[], stderr: [] as Uint8Array[] };
    const { timeoutMs, input, collect = true } = request;
    const call = {
      type: FrameType.execute,
      payload: encodeExecute(request),
      // Without a limit of its own a program may run for as long as it likes.
      timeoutMs: timeoutMs === undefined ? null : timeoutMs + EXECUTE_GRACE_MS,
      what: `executing ${request.argv[0]}`,
      onSent: (send: SendMore) => {
        if (input !== undefined && !(input instanceof Uint8Array)) void feedInput(input, send);
      },
    };
    const end = await this.#channel.request(call, (frame) => {
      if (frame.type === FrameType.output) {
        const stream = (frame.flags & FrameFlag.stderr) === 0 ? 'stdout' : 'stderr';
        if (collect) output[stream].push(frame.payload);
        request.onOutput?.(stream, frame.payload);
        return 'more';
      }
      if (frame.type === FrameType.done) return decodeDone(frame.payload);
      return frame.type === FrameType.exit ? decodeExit(frame.payload) : null;
    });
    if ('errno' in end) {
      const what = `cannot ${end.stage} ${end.stage === 'change directory' ? `to ${request.workingDirectory}` : request.argv[0]}`;
      throw callFailed(what, end.errno, this.#channel.name);
    }
    return { ...end, stdout: Buffer.concat(output.stdout), stderr: Buffer.concat(output.stderr) };
  }

  async consume(ring: SharedRing, kind: 'bpf' | 'perf', limit: number): Promise<ConsumedRecords> {
    const payload = Buffer.concat([encodeU32(RingKind[kind], limit), encodeRing(ring)]);
    const call = { type: FrameType.consume, payload, timeoutMs: this.#timeoutMs, what: 'reading a ring buffer' };
    return this.#channel.request(call, (frame) =>
      frame.type === FrameType.consumed ? decodeConsumed(frame.payload) : null,
    );
  }

  async produce(ring: SharedRing, records: Uint8Array): Promise<boolean> {
    const payload = Buffer.concat([encodeRing(ring), records]);
    const call = { type: FrameType.produce, payload, timeoutMs: this.#timeoutMs, what: 'writing a ring buffer' };
    const { errno } = await this.#channel.request(call, (frame) =>
      frame.type === FrameType.done ? decodeDone(frame.payload) : null,
    );
    if (errno !== 0 && errno !== errnoNumber('ENOSPC')) {
      throw callFailed('cannot write a ring buffer', errno, this.#channel.name);
    }
    return errno === 0;
  }

  async powerOff(): Promise<void> {
    const call = { type: FrameType.powerOff, payload: new Uint8Array(), timeoutMs: this.#timeoutMs, what: 'power off' };
    await this.#channel.request(call, (frame) => (frame.type === FrameType.done ? decodeDone(frame.payload) : null));
    this.#channel.close();
  }

  close(): Promise<void> {
    this.#closed ??= this.#goodbye();
    return this.#closed;
  }

  async #goodbye(): Promise<void> {
    const call = { type: FrameType.goodbye, payload: new Uint8Array(), timeoutMs: 2000, what: 'goodbye' };
    if (this.#channel.usable) {
      // An agent that is gone or stuck needs no goodbye: closing is what the caller asked for.
      await this.#channel
        .request(call, (frame) => (frame.type === FrameType.done ? true : null))
        .catch(() => undefined);
    }
    this.#channel.close();
    await this.#onClose?.();
  }
}

function encodeExecute(request: ExecuteRequest): Uint8Array {
  const { argv, environment, workingDirectory, timeoutMs = 0 } = request;
  const streamed = request.input !== undefined && !(request.input instanceof Uint8Array);
  const input = request.input instanceof Uint8Array ? request.input : new Uint8Array();
  const variables = Object.entries(environment ?? {}).map(([name, value]) => `${name}=${value}`);
  const flags =
    (environment === undefined ? 0 : ExecuteFlag.environment) |
    (workingDirectory === undefined ? 0 : ExecuteFlag.directory) |
    (streamed ? ExecuteFlag.moreInput : 0);
  const strings = encodeStrings([...argv, ...variables, ...(workingDirectory === undefined ? [] : [workingDirectory])]);
  const head = encodeU32(Math.ceil(timeoutMs), flags, argv.length, variables.length, strings.length, input.length);
  return Buffer.concat([head, strings, input]);
}

function decodeDone(payload: Uint8Array): { errno: number; stage: (typeof DONE_STAGES)[number] } | null {
  if (payload.length !== 8) return null;
  const view = new DataView(payload.buffer, payload.byteOffset, payload.length);
  const stage = DONE_STAGES[view.getUint32(4, true)];
  return stage === undefined ? null : { errno: view.getUint32(0, true), stage };
}

function decodeExit(payload: Uint8Array): Pick<ExecuteResult, 'exitCode' | 'signal' | 'timedOut'> | null {
  if (payload.length !== 16) return null;
  const view = new DataView(payload.buffer, payload.byteOffset, payload.length);
  const signalled = view.getUint32(0, true) !== 0;
  const value = view.getUint32(4, true);
  return {
    exitCode: signalled ? null : value,
    signal: signalled ? value : null,
    timedOut: view.getUint32(8, true) !== 0,
  };
}

function callFailed(what: string, errno: number, where: string): AgentError {
  return new AgentError('agent-call-failed', what, { where, why: describeErrno(errno), errno });
}
