import type { AttachType } from './attach-types.ts';
import type { ProgramType } from './spec.ts';

/** What one section name stands for. */
export interface SectionRule {
  readonly name: string;
  readonly type: ProgramType;
  readonly attachType: AttachType | null;
  /** Whether `/TARGET` may follow. */
  readonly target: boolean;
  /** BPF_F_SLEEPABLE. */
  readonly sleepable: boolean;
  /** Further flags for BPF_PROG_LOAD. */
  readonly flags: number;
}

/** BPF_F_XDP_HAS_FRAGS (include/uapi/linux/bpf.h): the program takes packets of several buffers. */
const XDP_HAS_FRAGS = 1 << 5;

/**
 * All names that libbpf knows (`section_defs` in src/libbpf.c, libbpf 1.7), and four of them with a target behind, as libbpf before 1.0 and cilium/ebpf
 * take them. First in a line the program type, then for each attach type the names: `/…` a target may follow, `.s` sleepable, `.frags` as it says.
 */
const TABLE = `
socket_filter - socket/… socket_filter/…
sk_reuseport sk_reuseport_select_or_migrate sk_reuseport/migrate
sk_reuseport sk_reuseport_select sk_reuseport
kprobe - kprobe/… kretprobe/… uprobe/… uprobe.s/… uretprobe/… uretprobe.s/… ksyscall/… kretsyscall/… usdt/… usdt.s/…
kprobe trace_kprobe_multi kprobe.multi/… kretprobe.multi/…
kprobe trace_kprobe_session kprobe.session/…
kprobe trace_uprobe_multi uprobe.multi/… uretprobe.multi/… uprobe.multi.s/… uretprobe.multi.s/…
kprobe trace_uprobe_session uprobe.session/… uprobe.session.s/…
sched_cls tcx_ingress tc/ingress tcx/ingress
sched_cls tcx_egress tc/egress tcx/egress
sched_cls netkit_primary netkit/primary
sched_cls netkit_peer netkit/peer
sched_cls - tc classifier/…
sched_act - action/…
tracepoint - tracepoint/… tp/…
raw_tracepoint - raw_tracepoint/… raw_tp/…
raw_tracepoint_writable - raw_tracepoint.w/… raw_tp.w/…
tracing trace_raw_tp tp_btf/…
tracing trace_fentry fentry/… fentry.s/…
tracing modify_return fmod_ret/… fmod_ret.s/…
tracing trace_fexit fexit/… fexit.s/…
tracing trace_fsession fsession/… fsession.s/…
tracing trace_iter iter/… iter.s/…
ext - freplace/…
lsm lsm_mac lsm/… lsm.s/…
lsm lsm_cgroup lsm_cgroup/…
syscall - syscall
xdp xdp_devmap xdp/devmap xdp.frags/devmap
xdp xdp_cpumap xdp/cpumap xdp.frags/cpumap
xdp xdp xdp/… xdp.frags
perf_event - perf_event
lwt_in - lwt_in
lwt_out - lwt_out
lwt_xmit - lwt_xmit
lwt_seg6local - lwt_seg6local
sock_ops cgroup_sock_ops sockops
sk_skb sk_skb_stream_parser sk_skb/stream_parser
sk_skb sk_skb_stream_verdict sk_skb/stream_verdict
sk_skb sk_skb_verdict sk_skb/verdict
sk_skb - sk_skb
sk_msg sk_msg_verdict sk_msg
lirc_mode2 lirc_mode2 lirc_mode2
flow_dissector flow_dissector flow_dissector
cgroup_skb cgroup_inet_ingress cgroup_skb/ingress
cgroup_skb cgroup_inet_egress cgroup_skb/egress
cgroup_skb - cgroup/skb
cgroup_sock cgroup_inet_sock_create cgroup/sock_create cgroup/sock
cgroup_sock cgroup_inet_sock_release cgroup/sock_release
cgroup_sock cgroup_inet4_post_bind cgroup/post_bind4
cgroup_sock cgroup_inet6_post_bind cgroup/post_bind6
cgroup_sock_addr cgroup_inet4_bind cgroup/bind4
cgroup_sock_addr cgroup_inet6_bind cgroup/bind6
cgroup_sock_addr cgroup_inet4_connect cgroup/connect4
cgroup_sock_addr cgroup_inet6_connect cgroup/connect6
cgroup_sock_addr cgroup_unix_connect cgroup/connect_unix
cgroup_sock_addr cgroup_udp4_sendmsg cgroup/sendmsg4
cgroup_sock_addr cgroup_udp6_sendmsg cgroup/sendmsg6
cgroup_sock_addr cgroup_unix_sendmsg cgroup/sendmsg_unix
cgroup_sock_addr cgroup_udp4_recvmsg cgroup/recvmsg4
cgroup_sock_addr cgroup_udp6_recvmsg cgroup/recvmsg6
cgroup_sock_addr cgroup_unix_recvmsg cgroup/recvmsg_unix
cgroup_sock_addr cgroup_inet4_getpeername cgroup/getpeername4
cgroup_sock_addr cgroup_inet6_getpeername cgroup/getpeername6
cgroup_sock_addr cgroup_unix_getpeername cgroup/getpeername_unix
cgroup_sock_addr cgroup_inet4_getsockname cgroup/getsockname4
cgroup_sock_addr cgroup_inet6_getsockname cgroup/getsockname6
cgroup_sock_addr cgroup_unix_getsockname cgroup/getsockname_unix
cgroup_sysctl cgroup_sysctl cgroup/sysctl
cgroup_sockopt cgroup_getsockopt cgroup/getsockopt
cgroup_sockopt cgroup_setsockopt cgroup/setsockopt
cgroup_device cgroup_device cgroup/dev
struct_ops - struct_ops/… struct_ops.s/…
sk_lookup sk_lookup sk_lookup
netfilter netfilter netfilter
`;

/** Every rule, by name. */
export const SECTION_RULES: ReadonlyMap<string, SectionRule> = new Map(
  TABLE.trim()
    .split('\n')
    .flatMap((line) => {
      const [type, attachType, ...names] = line.split(' ');
      return names.map((spelled) => readRule(type as ProgramType, attachType as AttachType | '-', spelled));
    })
    .map((rule) => [rule.name, rule]),
);

function readRule(type: ProgramType, attachType: AttachType | '-', spelled: string): SectionRule {
  const name = spelled.replace(/\/…$/, '');
  return {
    name,
    type,
    attachType: attachType === '-' ? null : attachType,
    target: name !== spelled,
    sleepable: name.endsWith('.s') || type === 'syscall',
    flags: name.startsWith('xdp.frags') ? XDP_HAS_FRAGS : 0,
  };
}
