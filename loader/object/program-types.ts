import type { ProgramType } from './spec.ts';

/** `enum bpf_prog_type` (include/uapi/linux/bpf.h). */
export const PROGRAM_TYPES: Readonly<Record<ProgramType, number>> = {
  socket_filter: 1,
  kprobe: 2,
  sched_cls: 3,
  sched_act: 4,
  tracepoint: 5,
  xdp: 6,
  perf_event: 7,
  raw_tracepoint: 17,
  tracing: 26,
  lsm: 29,
  syscall: 31,
};
