import { ATTACH_TYPES } from '../object/attach-types.ts';
import type { ProgramSpec, ProgramType } from '../object/spec.ts';

/**
 * What a test run takes: `packet` data and perhaps a context; `arguments` of a raw tracepoint; `context` alone, which comes back;
 * `lookup` a context that is repeated; `nothing`.
 */
export type TestInput = 'packet' | 'arguments' | 'context' | 'lookup' | 'nothing';

/** How each program type takes its input (the members `.test_run` of `struct bpf_prog_ops`, net/core/filter.c, net/bpf/test_run.c and kernel/bpf/syscall.c); the others have no test run. */
const INPUTS: Readonly<Partial<Record<ProgramType, TestInput>>> = {
  socket_filter: 'packet',
  sched_cls: 'packet',
  sched_act: 'packet',
  cgroup_skb: 'packet',
  lwt_in: 'packet',
  lwt_out: 'packet',
  lwt_xmit: 'packet',
  lwt_seg6local: 'packet',
  flow_dissector: 'packet',
  netfilter: 'packet',
  xdp: 'packet',
  sk_lookup: 'lookup',
  raw_tracepoint: 'arguments',
  raw_tracepoint_writable: 'arguments',
  tracing: 'nothing',
  syscall: 'context',
};

/** `tp_btf/…` and `iter/…` are of type tracing, whose test run is for fentry, fexit and fmod_ret only (bpf_prog_test_run_tracing). */
const WITHOUT: ReadonlySet<number | null> = new Set([ATTACH_TYPES.trace_raw_tp, ATTACH_TYPES.trace_iter]);

/** What the test run of a program takes, or null if the kernel has none for it. */
export function testInputOf(program: ProgramSpec): TestInput | null {
  if (program.type === 'tracing' && WITHOUT.has(program.attachType)) return null;
  return INPUTS[program.type] ?? null;
}
