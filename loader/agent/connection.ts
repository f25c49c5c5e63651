/**
 * The bytes that a system call's argument points to, as they are to be laid out in the agent's memory.
 * Buffers may point to other buffers: `union bpf_attr` points to instructions, licence, log …
 */
export interface SyscallBuffer {
  /** Sent if `direction` is `in` or `inout`; overwritten in place with what came back if `out` or `inout`. */
  readonly bytes: Uint8Array;
  readonly direction: 'in' | 'out' | 'inout';
  /** 64-bit pointers inside `bytes`, filled in by the agent with where `to` lies in its memory, `at` bytes from its start (0 if absent). */
  readonly pointers?: readonly { readonly offset: number; readonly to: SyscallBuffer; readonly at?: number }[];
}

/** A system call: its number on the agent's architecture and up to six arguments. */
export interface SyscallRequest {
  readonly number: number;
  readonly args: readonly (number | bigint | SyscallBuffer)[];
}

/** `value` is the result of a call that succeeded; `errno` a positive error number of one that did not, else 0. */
export interface SyscallResult {
  readonly value: number;
  readonly errno: number;
}

/** A program for the agent to run and wait for. */
export interface ExecuteRequest {
  /** Path on the agent's side, then the arguments. */
  readonly argv: readonly [string, ...string[]];
  readonly environment?: Readonly<Record<string, string>>;
  readonly workingDirectory?: string;
  /** What it reads from its standard input, then the end; a stream is read as fast as the program reads, and no further when it has ended. */
  readonly input?: Uint8Array | AsyncIterable<Uint8Array>;
  /** Is called with what the program prints, as it comes. */
  readonly onOutput?: (stream: 'stdout' | 'stderr', chunk: Uint8Array) => void;
  /** False leaves `stdout` and `stderr` of the result empty, for output of any length that `onOutput` takes. Default: true. */
  readonly collect?: boolean;
  /** Milliseconds after which it is killed with its process group. Default: none. */
  readonly timeoutMs?: number;
}

/** How a program ended that the agent ran, and what it printed. */
export interface ExecuteResult {
  /** Exit code, or null if a signal ended it. */
  readonly exitCode: number | null;
  readonly signal: number | null;
  /** True if it was killed because its time was over. */
  readonly timedOut: boolean;
  readonly stdout: Uint8Array;
  readonly stderr: Uint8Array;
}

/** A ring buffer that the kernel shares with the agent, by addresses in the agent's memory. */
export interface SharedRing {
  /** Of the position that the reader moves on. */
  readonly consumer: number;
  /** Of the position that the writer moves on. */
  readonly producer: number;
  readonly data: number;
  /** Bytes of data, a power of two. */
  readonly size: number;
}

/** Whole records, with their headers, as they lay in a ring. */
export interface ConsumedRecords {
  readonly bytes: Uint8Array;
  /** Bytes of the next record, if it is longer than the limit and nothing was taken; else 0. */
  readonly needed: number;
}

/** What the agent says of itself in its hello. */
export interface AgentHello {
  readonly protocolVersion: number;
  /** As in `uname -m`. */
  readonly machine: string;
  /** Kernel release, as in `uname -r`. */
  readonly release: string;
  readonly pageSize: number;
  readonly cpus: number;
  /** Longest frame the agent takes, in bytes. */
  readonly maxFrame: number;
}

/**
 * A connection to an agent, whatever carries it (a child process's pipes, a VM's virtio-serial port).
 * One request is under way at a time; further ones wait for their turn.
 * Every method rejects with an `AgentError` when the connection is lost, times out or speaks nonsense.
 */
export interface AgentConnection {
  readonly hello: AgentHello;
  /** Makes a system call on the agent's machine. One that fails is an answer as well: its errno stands in the result. */
  syscall(request: SyscallRequest, options?: { readonly timeoutMs?: number }): Promise<SyscallResult>;
  /** Reads a whole file, also from /proc and /sys, in one trip. Rejects with the errno's name if it cannot be opened. */
  readFile(path: string, options?: { readonly timeoutMs?: number; readonly maxBytes?: number }): Promise<Uint8Array>;
  /** Runs a program on the agent's machine and waits for its end. */
  execute(request: ExecuteRequest): Promise<ExecuteResult>;
  /** Takes what is complete, up to `limit` bytes (at most 63 MiB), from a BPF ring buffer or a perf buffer; nothing is taken twice. */
  consume(ring: SharedRing, kind: 'bpf' | 'perf', limit: number): Promise<ConsumedRecords>;
  /** Puts records with their headers into a ring that the kernel reads. False if there is no room for all of them; then none is put there. */
  produce(ring: SharedRing, records: Uint8Array): Promise<boolean>;
  /** Powers the machine off (in a VM); a child agent refuses. */
  powerOff(): Promise<void>;
  /** Ends the connection; the agent's file descriptors go with it. */
  close(): Promise<void>;
}
