import type { AgentConnection } from '../agent/connection.ts';
import { output } from '../syscall/attr.ts';
import { objectInfo, textOf } from '../syscall/object-info.ts';

/** A BPF link as the kernel describes it (`struct bpf_link_info`). */
export interface LinkInfo {
  readonly id: number;
  /** `enum bpf_link_type` without its prefix; `type 99` for one that is not known here. */
  readonly type: string;
  /** Of the attached program. */
  readonly programId: number;
  /** Where the type has one: `enum bpf_attach_type`. */
  readonly attachType: number | null;
  /** Of XDP, tcx and netkit links: the interface; 0 once it is gone or the link is detached. */
  readonly interfaceIndex: number | null;
  /** Of cgroup links. */
  readonly cgroupId: bigint | null;
  /** Of raw tracepoint and iterator links: the tracepoint's name, and what is iterated over. */
  readonly name: string | null;
}

/** `enum bpf_link_type` (include/uapi/linux/bpf.h). */
const LINK_TYPES = [
  'unspec',
  'raw_tracepoint',
  'tracing',
  'cgroup',
  'iter',
  'netns',
  'xdp',
  'perf_event',
  'kprobe_multi',
  'struct_ops',
  'netfilter',
  'tcx',
  'uprobe_multi',
  'netkit',
  'sockmap',
] as const;
const INFO_SIZE = 80;
const UNION = 16;
const NAME_SIZE = 128;

/** What a link is. Throws ExplainedError `object-info-failed`, AgentError. */
export async function linkInfo(agent: AgentConnection, fd: number): Promise<LinkInfo> {
  const first = await objectInfo(agent, fd, INFO_SIZE);
  const type = LINK_TYPES[first.u32(0)] ?? `type ${first.u32(0)}`;
  const named = type === 'raw_tracepoint' || type === 'iter';
  const name = output(NAME_SIZE);
  // Both structures begin with a pointer to room for the name and its size.
  const info = named
    ? await objectInfo(agent, fd, INFO_SIZE, [{ offset: UNION, to: name }], (view) =>
        view.setUint32(UNION + 8, NAME_SIZE, true),
      )
    : first;
  return {
    id: info.u32(4),
    type,
    programId: info.u32(8),
    attachType: attachTypeOffset(type) === null ? null : info.u32(attachTypeOffset(type) ?? 0),
    interfaceIndex: ['xdp', 'tcx', 'netkit'].includes(type) ? info.u32(UNION) : null,
    cgroupId: type === 'cgroup' ? info.u64(UNION) : null,
    name: named ? textOf(name.bytes) : null,
  };
}

function attachTypeOffset(type: string): number | null {
  if (type === 'tracing') return UNION;
  if (type === 'cgroup') return UNION + 8;
  return type === 'netns' || type === 'tcx' || type === 'netkit' ? UNION + 4 : null;
}
