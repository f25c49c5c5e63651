import type { Readable, Writable } from 'node:stream';
import { AgentError } from './agent-error.ts';
import { ErrorCode, encodeFrame, type Frame, FrameReader, FrameType, MAX_FRAME } from './protocol.ts';

const DIAGNOSIS_DELAY_MS = 20;

/** A request on its way to the agent. */
export interface ChannelRequest {
  readonly type: number;
  readonly payload: Uint8Array;
  /** Milliseconds from sending to the last frame of the answer; null waits for ever. */
  readonly timeoutMs: number | null;
  /** What it does, for messages. */
  readonly what: string;
  /** Called when the request was sent: further frames that belong to it go out through `send`, which settles when there is room for more. */
  readonly onSent?: (send: SendMore) => void;
}

/** Sends a frame that belongs to a request under way; false once it is answered, or the channel closed. */
export type SendMore = (type: number, payload: Uint8Array) => Promise<boolean>;

/** Reads one frame of an answer: the result, `'more'` if further frames belong to it, null if the frame makes no sense here. */
export type AnswerReader<Result> = (frame: Frame) => Result | 'more' | null;

interface Pending {
  readonly id: number;
  readonly what: string;
  readonly take: (frame: Frame) => void;
  readonly reject: (error: AgentError) => void;
}

/** Requests and answers over one stream: one at a time, each with its deadline. After a failure the channel is closed for good. */
export class FrameChannel {
  readonly name: string;
  readonly #writable: Writable;
  readonly #readable: Readable;
  readonly #diagnose: () => string | undefined;
  readonly #reader = new FrameReader();
  #pending: Pending | null = null;
  #failure: AgentError | null = null;
  #turn: Promise<unknown> = Promise.resolve();
  // Answers to a host that was here before may still be under way in a port: ids that differ from its tell them apart.
  #nextId = Math.floor(Math.random() * 2 ** 31);
  #greeted = false;

  constructor(readable: Readable, writable: Writable, name: string, diagnose: () => string | undefined) {
    this.name = name;
    this.#readable = readable;
    this.#writable = writable;
    this.#diagnose = diagnose;
    readable.on('data', (chunk: Uint8Array) => this.#receive(chunk));
    const lost = (cause?: unknown): void => {
      // A child's exit status, the better explanation, arrives a moment after its pipes close.
      if (this.usable) setTimeout(() => this.fail(this.#lost('the connection ended', cause)), DIAGNOSIS_DELAY_MS);
    };
    readable.on('end', () => lost());
    readable.on('close', () => lost());
    for (const stream of new Set<Readable | Writable>([readable, writable])) stream.on('error', lost);
    writable.on('close', () => lost());
  }

  /** False once the channel was closed or has failed. */
  get usable(): boolean {
    return this.#failure === null;
  }

  /** Sends a request when those before it are answered, and reads its answer. Rejects with AgentError. */
  request<Result>(request: ChannelRequest, read: AnswerReader<Result>): Promise<Result> {
    const result = this.#turn.then(() => this.#send(request, read));
    this.#turn = result.catch(() => undefined);
    return result;
  }

  /** Closes the channel because of an error, which it returns; requests under way and later ones reject with the first such error. */
  fail(error: AgentError): AgentError {
    if (this.#failure !== null) return this.#failure;
    this.#failure = error;
    this.#writable.destroy();
    this.#readable.destroy();
    this.#pending?.reject(error);
    return error;
  }

  /** Ends the stream; what is asked later rejects with `agent-lost`. */
  close(): void {
    this.fail(new AgentError('agent-lost', 'the connection is closed', { where: this.name }));
  }

  #send<Result>(
    { type, payload, timeoutMs, what, onSent }: ChannelRequest,
    read: AnswerReader<Result>,
  ): Promise<Result> {
    if (this.#failure !== null) return Promise.reject(this.#failure);
    if (payload.length > MAX_FRAME) return Promise.reject(this.#tooLong(payload.length, what));
    const id = this.#nextId++;
    return new Promise<Result>((resolve, reject) => {
      const timer =
        timeoutMs === null ? undefined : setTimeout(() => this.fail(this.#timedOut(what, timeoutMs)), timeoutMs);
      const settle = (): void => {
        clearTimeout(timer);
        this.#pending = null;
      };
      const take = (frame: Frame): void => {
        if (frame.type === FrameType.error) {
          settle();
          reject(this.#refused(frame, what));
          return;
        }
        const answer = read(frame);
        if (answer === 'more') return;
        if (answer === null) {
          this.fail(this.#nonsense(`frame type 0x${frame.type.toString(16)} does not answer the request`, what));
          return;
        }
        settle();
        this.#greeted = true;
        resolve(answer);
      };
      const rejectPending = (error: AgentError): void => {
        settle();
        reject(error);
      };
      this.#pending = { id, what, take, reject: rejectPending };
      this.#writable.write(encodeFrame(type, id, payload));
      onSent?.((moreType, more) => this.#sendMore(id, moreType, more));
    });
  }

  async #sendMore(id: number, type: number, payload: Uint8Array): Promise<boolean> {
    const open = (): boolean => this.usable && this.#pending?.id === id;
    if (!open()) return false;
    // The callback comes when the bytes have left this process, or with an error that the stream tells of by itself.
    await new Promise<void>((resolve) => this.#writable.write(encodeFrame(type, id, payload), () => resolve()));
    return open();
  }

  #receive(chunk: Uint8Array): void {
    const frames = this.#reader.push(chunk);
    for (const frame of frames ?? []) {
      const pending = this.#pending;
      if (pending !== null && frame.id === pending.id) pending.take(frame);
      else if (this.#greeted) this.fail(this.#nonsense(`a frame for request ${frame.id}`, pending?.what));
    }
    if (frames === null) this.fail(this.#nonsense('bytes that are no frame', this.#pending?.what));
  }

  #refused(frame: Frame, what: string): AgentError {
    const code =
      frame.payload.length < 4 ? 0 : new DataView(frame.payload.buffer, frame.payload.byteOffset).getUint32(0, true);
    const text = new TextDecoder().decode(frame.payload.subarray(4));
    const version = code === ErrorCode.version;
    const error = new AgentError(version ? 'agent-version' : 'agent-refused', `the agent refused ${what}`, {
      where: this.name,
      why: text,
      ...(version ? { fix: 'build the agent anew' } : {}),
    });
    return version || code === ErrorCode.badMagic || code === ErrorCode.frameTooLong ? this.fail(error) : error;
  }

  /** The agent would take the stream for lost, and end. */
  #tooLong(length: number, what: string): AgentError {
    return new AgentError('agent-refused', `${what} was not sent`, {
      where: this.name,
      why: `it takes ${length} bytes, and a request has at most ${MAX_FRAME}`,
      fix: 'ask for less at a time',
    });
  }

  #timedOut(what: string, timeoutMs: number): AgentError {
    const why = `no answer to ${what} within ${timeoutMs / 1000} s`;
    return new AgentError('agent-timeout', 'the agent does not answer', { where: this.name, why: this.#detail(why) });
  }

  #nonsense(got: string, what: string | undefined): AgentError {
    const why = `${got}${what === undefined ? '' : ` while waiting for ${what}`}`;
    return new AgentError('agent-protocol', 'the agent sent nonsense', { where: this.name, why: this.#detail(why) });
  }

  #lost(what: string, cause: unknown): AgentError {
    const waiting = this.#pending === null ? '' : `while waiting for ${this.#pending.what}`;
    const reason = cause instanceof Error ? cause.message : '';
    const why = this.#detail([waiting, reason].filter((part) => part !== '').join(': '));
    return new AgentError('agent-lost', what, { where: this.name, why, cause });
  }

  #detail(why: string): string {
    const more = this.#diagnose();
    return more === undefined || more === '' ? why : `${why}; ${more}`;
  }
}
