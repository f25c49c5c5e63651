import type { AgentConnection, SyscallBuffer } from '../agent/connection.ts';
import { describeErrno, errnoName } from '../agent/errno.ts';
import { ExplainedError } from '../errors.ts';
import type { ProgramSpec } from '../object/spec.ts';
import { AttrWriter, input, output } from '../syscall/attr.ts';
import { BpfCommand, bpf } from '../syscall/bpf.ts';
import { workOnCpu } from '../syscall/work-on-cpu.ts';
import { type TestInput, testInputOf } from './test-inputs.ts';

/** What a program is run with. */
export interface TestRunOptions {
  /** The packet, for programs that see packets: at least 14 bytes; 64 zeroes if absent. */
  readonly data?: Uint8Array;
  /** The context, as the program type lays it out: `struct __sk_buff`, `struct xdp_md`, `struct bpf_sk_lookup`, a raw tracepoint's 64-bit arguments … */
  readonly context?: Uint8Array;
  /** How many times; for programs that see packets and for sk_lookup. The agent does nothing else meanwhile: see {@link TestRunOptions.timeoutMs}. */
  readonly repeat?: number;
  /** The CPU to run on: the agent is bound to it and stays there. */
  readonly cpu?: number;
  /** BPF_F_TEST_RUN_ON_CPU 1 (raw tracepoints, on {@link TestRunOptions.cpu}), BPF_F_TEST_XDP_LIVE_FRAMES 2, BPF_F_TEST_SKB_CHECKSUM_COMPLETE 4. */
  readonly flags?: number;
  /** Packets at a time, with BPF_F_TEST_XDP_LIVE_FRAMES (Linux 5.18). */
  readonly batchSize?: number;
  /** Milliseconds that all runs together may take; the connection ends if they take longer. Default: as for any request, 30 s. */
  readonly timeoutMs?: number;
}

/** What came of it. */
export interface TestRunResult {
  /** The program's return value, as an unsigned 32-bit number. For fentry and fexit, what the kernel's test functions made of it. */
  readonly retval: number;
  /** Mean of the runs, as the kernel measured it; 0 for programs that see no packets. */
  readonly durationNs: number;
  /** The packet afterwards; empty for programs that see no packets, and for live frames. */
  readonly dataOut: Uint8Array;
  /** The context afterwards, where one was given and the kernel gives it back; else empty. */
  readonly contextOut: Uint8Array;
}

/** BPF_F_TEST_RUN_ON_CPU and BPF_F_TEST_XDP_LIVE_FRAMES (include/uapi/linux/bpf.h). */
export const TestRunFlag = { onCpu: 1, liveFrames: 2, checksumComplete: 4 } as const;

const PACKET_SIZE = 64;
/** The kernel counts runs in 32 bits. */
const MOST_RUNS = 0xffff_ffff;
/** ETH_HLEN. */
const ETHERNET_HEADER = 14;
/** Less than what a page of 4 KiB has room for in any kernel. */
const LONG_PACKET = 3000;
/** XDP programs may grow a packet. */
const PACKET_HEADROOM = 512;
/** A raw tracepoint's context: twelve 64-bit arguments (MAX_BPF_FUNC_ARGS). */
const ARGUMENTS_SIZE = 96;

/** Runs a loaded program once or more, without attaching it (BPF_PROG_TEST_RUN). Throws ExplainedError `test-run-failed`, AgentError. */
export async function testRun(
  agent: AgentConnection,
  program: ProgramSpec,
  fd: number,
  options: TestRunOptions = {},
): Promise<TestRunResult> {
  const kind = testInputOf(program);
  if (kind === null) {
    throw testRunFailed(program, `the kernel has no test run for programs in section ${program.section}`);
  }
  const { flags = 0, cpu, repeat = 1 } = options;
  if (!Number.isInteger(repeat) || repeat < 0 || repeat > MOST_RUNS) {
    throw testRunFailed(program, `it cannot be run ${repeat} times: a whole number up to ${MOST_RUNS}`);
  }
  const onCpu = (flags & TestRunFlag.onCpu) !== 0;
  const live = (flags & TestRunFlag.liveFrames) !== 0;
  const packet = kind === 'packet' ? (options.data ?? new Uint8Array(PACKET_SIZE)) : null;
  const packetOut = packet === null || live ? null : output(packet.length + PACKET_HEADROOM);
  const context = contextFor(kind, options.context);
  // Packets' contexts come back apart; a syscall program's where it came from; others not at all.
  const apart = kind === 'packet' && options.context !== undefined && !live;
  const contextOut = apart ? output(options.context.length) : null;
  const attr = new AttrWriter()
    .u32(fd)
    .u32(0) // retval
    .u32(packet?.length ?? 0)
    .u32(packetOut?.bytes.length ?? 0)
    .pointer(packet === null ? null : input(packet))
    .pointer(packetOut)
    .u32(kind === 'packet' || kind === 'lookup' ? repeat : 0)
    .u32(0) // duration
    .u32(context?.bytes.length ?? 0)
    .u32(contextOut?.bytes.length ?? 0)
    .pointer(context)
    .pointer(contextOut)
    .u32(flags)
    .u32(onCpu ? (cpu ?? 0) : 0);
  // 5.10 ends with cpu.
  if (options.batchSize !== undefined) attr.u32(options.batchSize).u32(0);
  const request = attr.finish({ whole: true });
  const limit = options.timeoutMs === undefined ? {} : { timeoutMs: options.timeoutMs };
  const run = () => bpf(agent, BpfCommand.programTestRun, request, limit);
  const { errno } = await (cpu === undefined || onCpu ? run() : workOnCpu(agent, cpu, run));
  if (errno !== 0) throw testRunFailed(program, describeErrno(errno), fixFor(program, errno, packet, options.context));
  const answer = new DataView(request.bytes.buffer, request.bytes.byteOffset);
  return {
    retval: answer.getUint32(4, true),
    durationNs: answer.getUint32(36, true),
    dataOut: packetOut === null ? new Uint8Array() : packetOut.bytes.slice(0, answer.getUint32(12, true)),
    contextOut: contextAfter(kind, context, contextOut, answer.getUint32(44, true)),
  };
}

function contextFor(kind: TestInput, given: Uint8Array | undefined): SyscallBuffer | null {
  if (given !== undefined) return { bytes: given.slice(), direction: kind === 'context' ? 'inout' : 'in' };
  return kind === 'arguments' ? input(new Uint8Array(ARGUMENTS_SIZE)) : null;
}

function contextAfter(
  kind: TestInput,
  given: SyscallBuffer | null,
  apart: SyscallBuffer | null,
  length: number,
): Uint8Array {
  if (apart !== null) return apart.bytes.slice(0, length);
  return kind === 'context' && given !== null ? given.bytes : new Uint8Array();
}

/** What bpf_prog_test_run_skb and its like refuse (net/bpf/test_run.c). */
function fixFor(program: ProgramSpec, errno: number, packet: Uint8Array | null, context?: Uint8Array) {
  const name = errnoName(errno);
  if (name === 'ENODEV' && context !== undefined) return 'the context names a network interface that is not there';
  if (!['ENOTSUPP', 'EINVAL'].includes(name)) return undefined;
  if (packet !== null && packet.length < ETHERNET_HEADER) {
    return `a packet takes at least ${ETHERNET_HEADER} bytes, its Ethernet header, and was given ${packet.length}`;
  }
  if (packet !== null && packet.length > LONG_PACKET) {
    return `a packet has to fit into a page beside what the kernel puts there, and was given ${packet.length} bytes: take 3,000`;
  }
  if (context !== undefined) {
    return 'members of the context that a test run does not set have to be zero, and a shorter or older context may be all that this kernel takes';
  }
  return `this kernel may lack test runs of ${program.type} programs: attach it instead`;
}

function testRunFailed(program: ProgramSpec, why: string, fix?: string): ExplainedError {
  return new ExplainedError('test-run-failed', 'the program cannot be test-run', {
    where: `program ${program.name}`,
    why,
    ...(fix === undefined ? {} : { fix }),
  });
}
