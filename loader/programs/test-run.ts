import type { AgentConnection, SyscallBuffer } from '../agent/connection.ts';
import { describeErrno, errnoName } from '../agent/errno.ts';
import { ExplainedError } from '../errors.ts';
import type { ProgramSpec, ProgramType } from '../object/spec.ts';
import { AttrWriter, input, output } from '../syscall/attr.ts';
import { BpfCommand, bpf } from '../syscall/bpf.ts';
import { runOnCpu } from '../syscall/cpus.ts';

/** What a program is run with. */
export interface TestRunOptions {
  /** The packet, for programs that see packets: at least 14 bytes; 64 zeroes if absent. */
  readonly data?: Uint8Array;
  /** The context, as the program type lays it out. */
  readonly context?: Uint8Array;
  /** How many times; for programs that see packets. */
  readonly repeat?: number;
  /** The CPU to run on: the agent is bound to it and stays there. */
  readonly cpu?: number;
}

/** What came of it. */
export interface TestRunResult {
  /** The program's return value, as an unsigned 32-bit number. For fentry and fexit, what the kernel's test functions made of it. */
  readonly retval: number;
  /** Mean of the runs, as the kernel measured it; 0 for programs that see no packets. */
  readonly durationNs: number;
  /** The packet afterwards; empty for programs that see no packets. */
  readonly dataOut: Uint8Array;
}

/** How each program type takes its input (the bpf_prog_test_run_* functions in net/bpf/test_run.c and kernel/bpf/syscall.c); the others have no test run. */
const INPUTS: Readonly<Partial<Record<ProgramType, 'packet' | 'arguments' | 'context' | 'nothing'>>> = {
  socket_filter: 'packet',
  sched_cls: 'packet',
  sched_act: 'packet',
  xdp: 'packet',
  raw_tracepoint: 'arguments',
  tracing: 'nothing',
  syscall: 'context',
};
/** `tp_btf/…` is of type tracing, whose test run is for fentry, fexit and fmod_ret only (bpf_prog_test_run_tracing). */
const BPF_TRACE_RAW_TP = 23;
const PACKET_SIZE = 64;
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
  const kind = program.attachType === BPF_TRACE_RAW_TP ? undefined : INPUTS[program.type];
  if (kind === undefined) {
    throw testRunFailed(program, `the kernel has no test run for programs in section ${program.section}`);
  }
  if (options.cpu !== undefined) await runOnCpu(agent, options.cpu);
  const packet = kind === 'packet' ? (options.data ?? new Uint8Array(PACKET_SIZE)) : null;
  const packetOut = packet === null ? null : output(packet.length + PACKET_HEADROOM);
  const context = contextFor(kind, options.context);
  const attr = testRunAttr(fd, packet, packetOut, context, kind === 'packet' ? (options.repeat ?? 1) : 0);
  const { errno } = await bpf(agent, BpfCommand.programTestRun, attr);
  if (errno !== 0) throw testRunFailed(program, describeErrno(errno), errno);
  const answer = new DataView(attr.bytes.buffer);
  return {
    retval: answer.getUint32(4, true),
    durationNs: answer.getUint32(36, true),
    dataOut: packetOut === null ? new Uint8Array() : packetOut.bytes.slice(0, answer.getUint32(12, true)),
  };
}

/** BPF_PROG_TEST_RUN up to `cpu`, which is where 5.10 ends. */
function testRunAttr(
  fd: number,
  packet: Uint8Array | null,
  packetOut: SyscallBuffer | null,
  context: SyscallBuffer | null,
  repeat: number,
) {
  return new AttrWriter()
    .u32(fd)
    .u32(0) // retval
    .u32(packet?.length ?? 0)
    .u32(packetOut?.bytes.length ?? 0)
    .pointer(packet === null ? null : input(packet))
    .pointer(packetOut)
    .u32(repeat)
    .u32(0) // duration
    .u32(context?.bytes.length ?? 0)
    .u32(0) // ctx_size_out
    .pointer(context)
    .u64(0n) // ctx_out
    .u32(0) // flags
    .u32(0) // cpu
    .finish({ whole: true });
}

function contextFor(kind: 'packet' | 'arguments' | 'context' | 'nothing', given: Uint8Array | undefined) {
  // The kernel writes a syscall program's context back to where it came from.
  if (given !== undefined) return { bytes: given.slice(), direction: 'inout' } as const;
  return kind === 'arguments' ? input(new Uint8Array(ARGUMENTS_SIZE)) : null;
}

function testRunFailed(program: ProgramSpec, why: string, errno?: number): ExplainedError {
  const known = errno !== undefined && ['ENOTSUPP', 'EINVAL'].includes(errnoName(errno));
  return new ExplainedError('test-run-failed', 'the program cannot be test-run', {
    where: `program ${program.name}`,
    why,
    ...(known ? { fix: `this kernel may lack test runs of ${program.type} programs: attach it instead` } : {}),
  });
}
