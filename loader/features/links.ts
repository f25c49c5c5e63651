import type { AgentConnection } from '../agent/connection.ts';
import { errnoName } from '../agent/errno.ts';
import type { ProgramType } from '../object/spec.ts';
import { AttrWriter } from '../syscall/attr.ts';
import { BpfCommand, bpf, closeAll } from '../syscall/bpf.ts';
import { loadProbe } from './probe-program.ts';
import { type FeatureSupport, inconclusive, inconclusiveErrno, notSupported, supported } from './support.ts';

/** Kinds of links that are probed for: perf events (5.15), tcx (6.6), netkit (6.7), multi-kprobes (5.18) and multi-uprobes (6.6). */
export type LinkKind = 'perf-event' | 'kprobe-multi' | 'uprobe-multi' | 'tcx' | 'netkit';

interface LinkProbe {
  readonly type: ProgramType;
  /** `enum bpf_attach_type`. */
  readonly attachType: number;
  /** Whether the program is loaded with that attach type. */
  readonly expected: boolean;
  /** A descriptor or network interface that is not there. */
  readonly target: number;
  /** What a kernel answers that knows the kind and misses the target. */
  readonly answer: string;
  /** Words of 64 bits after `flags` in the attribute. */
  readonly rest?: readonly bigint[];
}

const NOT_THERE = 0xffff_ffff;
const NOWHERE = 1n;

/**
 * Nothing is attached: each asks for something that is not there, and a kernel that does not know the kind answers EINVAL before it looks.
 * Multi-kprobes: `flags | cnt << 32`, then the address of symbols, where nothing can be read (bpf_kprobe_multi_link_attach, kernel/trace/bpf_trace.c).
 * Multi-uprobes: path, offsets, reference counters, cookies, `cnt | flags << 32`: the path cannot be read.
 */
const PROBES: Record<LinkKind, LinkProbe> = {
  'perf-event': { type: 'tracepoint', attachType: 41, expected: false, target: NOT_THERE, answer: 'EBADF' },
  'kprobe-multi': {
    ...{ type: 'kprobe', attachType: 42, expected: true, target: 0 },
    ...{ answer: 'EFAULT', rest: [1n << 32n, NOWHERE] },
  },
  'uprobe-multi': {
    ...{ type: 'kprobe', attachType: 48, expected: true, target: 0 },
    ...{ answer: 'EFAULT', rest: [NOWHERE, NOWHERE, 0n, 0n, 1n] },
  },
  tcx: { type: 'sched_cls', attachType: 46, expected: false, target: NOT_THERE, answer: 'ENODEV' },
  netkit: { type: 'sched_cls', attachType: 54, expected: false, target: NOT_THERE, answer: 'ENODEV' },
};

/** Whether the kernel can make a kind of link. Throws AgentError. */
export async function probeLink(agent: AgentConnection, kind: LinkKind): Promise<FeatureSupport> {
  const { type, attachType, expected, target, answer, rest = [] } = PROBES[kind];
  const program = await loadProbe(agent, { type, ...(expected ? { attachType } : {}) });
  if (program.fd === null) {
    if (program.errnoName === 'EINVAL') return notSupported(`the kernel has no ${type} programs that attach so`);
    return inconclusiveErrno(program.errno);
  }
  try {
    const attr = new AttrWriter().u32(program.fd).u32(target).u32(attachType).u32(0);
    for (const word of rest) attr.u64(word);
    const { value, errno } = await bpf(agent, BpfCommand.linkCreate, attr.finish());
    if (errno === 0) {
      await closeAll(agent, [value]);
      return inconclusive('the kernel made a link to nothing');
    }
    const name = errnoName(errno);
    if (name === answer) return supported(`the kernel answered ${name} to a target that is not there`);
    if (['EINVAL', 'E2BIG', 'EOPNOTSUPP'].includes(name)) return notSupported(`the kernel answered ${name}`);
    return inconclusiveErrno(errno);
  } finally {
    await closeAll(agent, [program.fd]);
  }
}

/** Whether rights can be handed on by a BPF token (6.9, 35f96de04127): EBADF for a descriptor that is none, EINVAL for a command that is none. Throws AgentError. */
export async function probeToken(agent: AgentConnection): Promise<FeatureSupport> {
  const attr = new AttrWriter().u32(0).u32(NOT_THERE).finish();
  const { errno } = await bpf(agent, TOKEN_CREATE, attr);
  const name = errnoName(errno);
  if (name === 'EBADF') return supported('the kernel misses nothing but a descriptor of a BPF file system');
  return name === 'EINVAL' || name === 'E2BIG' ? notSupported(`the kernel answered ${name}`) : inconclusiveErrno(errno);
}

/** `BPF_TOKEN_CREATE` (enum bpf_cmd). */
const TOKEN_CREATE = 36;
