import type { AgentConnection } from '../agent/connection.ts';
import { output } from './attr.ts';
import { type ObjectInfo, objectInfo, textOf } from './object-info.ts';

/** A link as the kernel describes it (`struct bpf_link_info`). */
export interface LinkInfo {
  /** `enum bpf_link_type`. */
  readonly type: number;
  readonly id: number;
  /** The program that is attached. */
  readonly programId: number;
  readonly details: LinkDetails;
}

/** What there is to say of each kind of link; `other` where this library or the kernel says nothing. */
export type LinkDetails =
  | { readonly kind: 'raw_tracepoint'; readonly name: string }
  | {
      readonly kind: 'tracing';
      readonly attachType: number;
      /** A program's id (freplace) or a BTF object's, 0 before Linux 5.13; and the type in it. */
      readonly targetObjectId: number;
      readonly targetBtfId: number;
    }
  | { readonly kind: 'cgroup'; readonly cgroupId: bigint; readonly attachType: number }
  | { readonly kind: 'iterator'; readonly name: string }
  | { readonly kind: 'netns'; readonly inode: number; readonly attachType: number }
  | { readonly kind: 'xdp' | 'struct_ops'; readonly target: number }
  | { readonly kind: 'tcx' | 'netkit' | 'sockmap'; readonly target: number; readonly attachType: number }
  | {
      readonly kind: 'netfilter';
      readonly family: number;
      readonly hook: number;
      readonly priority: number;
      readonly flags: number;
    }
  | { readonly kind: 'kprobe_multi'; readonly count: number; readonly flags: number }
  /** A kprobe, uprobe, tracepoint or perf event: `enum bpf_perf_event_type`, and the function, file or tracepoint. */
  | { readonly kind: 'perf_event'; readonly eventType: number; readonly name: string }
  | { readonly kind: 'other' };

const LINK_INFO_SIZE = 64;
const NAME_SIZE = 256;

/** `enum bpf_link_type`, as far as there are details. */
const Type = {
  rawTracepoint: 1,
  tracing: 2,
  cgroup: 3,
  iterator: 4,
  netns: 5,
  xdp: 6,
  perfEvent: 7,
  kprobeMulti: 8,
  structOps: 9,
  netfilter: 10,
  tcx: 11,
  netkit: 13,
  sockmap: 14,
} as const;

/** What a link attaches to what. Throws ExplainedError `object-info-failed`, AgentError. */
export async function linkInfo(agent: AgentConnection, fd: number): Promise<LinkInfo> {
  const info = await objectInfo(agent, fd, LINK_INFO_SIZE);
  const type = info.u32(0);
  const place = namePlace(info);
  const name = place === null ? '' : await readName(agent, fd, place);
  return { type, id: info.u32(4), programId: info.u32(8), details: detailsOf(type, info, name) };
}

/** Where the pointer to a name stands, with its length behind it; null if there is none, or the kernel knows of none. */
function namePlace(info: ObjectInfo): number | null {
  const type = info.u32(0);
  if (type === Type.rawTracepoint || type === Type.iterator) return 16;
  // Before Linux 6.6 the structure had no place for it; the last of the event types, a plain perf event, has no name.
  const named = type === Type.perfEvent && info.has(0, 48) && info.u32(16) >= 1 && info.u32(16) <= 5;
  return named ? 24 : null;
}

async function readName(agent: AgentConnection, fd: number, offset: number): Promise<string> {
  const name = output(NAME_SIZE);
  await objectInfo(agent, fd, LINK_INFO_SIZE, [{ offset, to: name }], (view) =>
    view.setUint32(offset + 8, NAME_SIZE, true),
  );
  return textOf(name.bytes);
}

function detailsOf(type: number, info: ObjectInfo, name: string): LinkDetails {
  const [first, second] = [info.u32(16), info.u32(20)];
  switch (type) {
    case Type.rawTracepoint:
      return { kind: 'raw_tracepoint', name };
    case Type.tracing:
      return { kind: 'tracing', attachType: first, targetObjectId: second, targetBtfId: info.u32(24) };
    case Type.cgroup:
      return { kind: 'cgroup', cgroupId: info.u64(16), attachType: info.u32(24) };
    case Type.iterator:
      return { kind: 'iterator', name };
    case Type.netns:
      return { kind: 'netns', inode: first, attachType: second };
    case Type.xdp:
      return { kind: 'xdp', target: first };
    case Type.structOps:
      return { kind: 'struct_ops', target: first };
    case Type.tcx:
      return { kind: 'tcx', target: first, attachType: second };
    case Type.netkit:
      return { kind: 'netkit', target: first, attachType: second };
    case Type.sockmap:
      return { kind: 'sockmap', target: first, attachType: second };
    case Type.netfilter:
      return { kind: 'netfilter', family: first, hook: second, priority: info.u32(24) | 0, flags: info.u32(28) };
    case Type.kprobeMulti:
      return { kind: 'kprobe_multi', count: info.u32(24), flags: info.u32(28) };
    case Type.perfEvent:
      return { kind: 'perf_event', eventType: first, name };
    default:
      return { kind: 'other' };
  }
}
