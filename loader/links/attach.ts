import { ATTACH_TYPES } from '../object/attach-types.ts';
import { type AttachableProgram, attachError } from './attachable.ts';
import { attachCgroup, type CgroupOptions } from './cgroup.ts';
import { attachIterator, type IteratorOptions } from './iterator.ts';
import { attachKprobe, type KprobeOptions } from './kprobe.ts';
import type { Link } from './link.ts';
import { attachNetkit, attachNetns, attachTcx, attachXdp, type NetnsOptions, type XdpOptions } from './network.ts';
import { attachPerfEvent, type PerfEventOptions } from './perf-event.ts';
import { attachKprobeMulti, type KprobeMultiOptions } from './probe-multi.ts';
import { attachSockmap, type SockmapOptions } from './sockets.ts';
import { attachTc, type TcOptions } from './tc.ts';
import { attachTracepoint } from './tracepoint.ts';
import { attachRawTracepoint, attachTracing, TRACING_ATTACH_TYPES } from './tracing.ts';

/** What the section's name leaves open; each kind of program takes its own and leaves the others alone. */
export interface AttachOptions
  extends KprobeOptions,
    KprobeMultiOptions,
    CgroupOptions,
    IteratorOptions,
    NetnsOptions,
    PerfEventOptions,
    SockmapOptions,
    TcOptions,
    XdpOptions {
  /** Tracepoint: `group/name` (tracepoint) or a name (raw_tp). */
  readonly name?: string;
}

const BY_FUNCTION = 'this library attaches it by a function such as attachTracepoint or attachKprobe, or not at all';

/**
 * Attaches a program as its section says, as libbpf's bpf_program__attach does; what the section does not say is in `options`: the network interface, the control
 * group, or another target. Throws ExplainedError `attach-…`, AgentError.
 */
export async function attachProgram(program: AttachableProgram, options: AttachOptions = {}): Promise<Link> {
  const { type, attachType, section } = program.spec;
  switch (type) {
    case 'tracepoint':
      return attachTracepoint(program, options);
    case 'raw_tracepoint':
    case 'raw_tracepoint_writable':
      return attachRawTracepoint(program, options);
    case 'kprobe':
      return attachProbe(program, options);
    case 'tracing':
      if (attachType === ATTACH_TYPES.trace_iter) return attachIterator(program, options);
      if (TRACING_ATTACH_TYPES.has(attachType ?? -1)) return attachTracing(program, options);
      break;
    case 'ext':
      return attachTracing(program, options);
    case 'lsm':
      return attachType === ATTACH_TYPES.lsm_cgroup ? attachCgroup(program, options) : attachTracing(program, options);
    case 'xdp':
      return attachXdp(program, options);
    case 'sched_cls':
      return attachClassifier(program, options);
    case 'sk_skb':
    case 'sk_msg':
      return attachSockmap(program, options);
    case 'perf_event':
      return attachPerfEvent(program, options);
    case 'sk_lookup':
    case 'flow_dissector':
      return attachNetns(program, options);
    default:
      if (type.startsWith('cgroup_') || type === 'sock_ops') return attachCgroup(program, options);
  }
  throw attachError(program, 'attach-unknown', `programs of section ${section} are not attached by their section`, {
    fix: UNATTACHED[type] ?? BY_FUNCTION,
  });
}

const ROUTE = 'pin it, and name the pin in `ip route … encap bpf`';

/** What to do with programs whose section does not suffice, or that nothing attaches. */
const UNATTACHED: Readonly<Record<string, string | undefined>> = {
  socket_filter: 'use attachSocketFilter with a socket of the agent',
  sk_reuseport: 'use attachReuseport with a socket of the agent',
  netfilter: 'use attachNetfilter with a hook and a priority',
  syscall: 'it is not attached but run: testRun',
  struct_ops: 'the kernel begins to use it with the map of its struct, which this library does not register',
  sched_act: 'pin it, and name the pin in `tc filter … action bpf`',
  lwt_in: ROUTE,
  lwt_out: ROUTE,
  lwt_xmit: ROUTE,
  lwt_seg6local: 'pin it, and name the pin in `ip route … encap seg6local action End.BPF`',
};

function attachProbe(program: AttachableProgram, options: AttachOptions): Promise<Link> {
  const { section } = program.spec;
  if (/^\??k(ret)?probe\.(multi|session)/.test(section)) return attachKprobeMulti(program, options);
  if (/^\??(u(ret)?probe|usdt)/.test(section)) {
    throw attachError(program, 'attach-unknown', 'user-space probes are not attached by their section', {
      fix: 'use attachUprobe with a path and an offset',
    });
  }
  return attachKprobe(program, options);
}

/** tcx and netkit where the section says so; `tc` and `classifier` as a filter, which every kernel knows. */
function attachClassifier(program: AttachableProgram, options: AttachOptions): Promise<Link> {
  const { section } = program.spec;
  if (/^\??netkit\//.test(section)) return attachNetkit(program, options);
  return /^\??tcx\//.test(section) ? attachTcx(program, options) : attachTc(program, options);
}
