import type { AttachOptions } from '../../../loader/index.ts';

/** One program for each way of attaching; each counts its runs in a variable of its name with `_runs` behind. */
export const LINKS = `
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#define COUNT(name, section, result) \\
  int name##_runs; __u64 name##_cookie; \\
  SEC("?" section) int on_##name(void *ctx) { __sync_fetch_and_add(&name##_runs, 1); return result; }
#define COOKIE(name, section) \\
  int name##_runs; __u64 name##_cookie; \\
  SEC("?" section) int on_##name(void *ctx) { \\
    name##_cookie = bpf_get_attach_cookie(ctx); __sync_fetch_and_add(&name##_runs, 1); return 0; }
COUNT(tp, "tracepoint/syscalls/sys_enter_getpid", 0)
COUNT(raw, "raw_tp/sys_enter", 0)
COUNT(kprobe, "kprobe/__x64_sys_getpid", 0)
COUNT(kretprobe, "kretprobe/__x64_sys_getpid", 0)
COUNT(ksyscall, "ksyscall/getpid", 0)
COUNT(multi, "kprobe.multi/__*_sys_getpi?", 0)
COUNT(multi_return, "kretprobe.multi/__x64_sys_getpid", 0)
COUNT(uprobe, "uprobe", 0)
COUNT(fentry, "fentry/bpf_fentry_test1", 0)
COUNT(fexit, "fexit/bpf_fentry_test1", 0)
COUNT(modify, "fmod_ret/security_file_open", 0)
COUNT(btf_tp, "tp_btf/sys_enter", 0)
COUNT(lsm, "lsm/file_open", 0)
COUNT(perf, "perf_event", 0)
COUNT(lookup, "sk_lookup", 1)
COUNT(dissector, "flow_dissector", 129)
COUNT(tc, "tc", -1)
COUNT(classifier, "classifier", -1)
COUNT(tcx, "tcx/ingress", -1)
COUNT(filter, "socket", -1)
COUNT(xdp, "xdp", 2)
COUNT(drop, "xdp", 1)
COUNT(egress, "cgroup_skb/egress", 1)
COUNT(skb, "cgroup/skb", 1)
COUNT(hook, "netfilter", 1)
COOKIE(cookie_tp, "tracepoint/syscalls/sys_enter_getpid")
COOKIE(cookie_kprobe, "kprobe/__x64_sys_getpid")
COOKIE(cookie_fentry, "fentry/bpf_fentry_test1")
char LICENSE[] SEC("license") = "GPL";
`;

/** An iterator: it writes a line for each map of the kernel. \`struct bpf_iter__bpf_map\` begins with pointers to meta data and to the map. */
export const ITERATOR = `
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#define REREAD __attribute__((preserve_access_index))
struct seq_file;
struct bpf_iter_meta { struct seq_file *seq; } REREAD;
struct bpf_map { __u32 id; __u32 max_entries; } REREAD;
struct bpf_iter__bpf_map { struct bpf_iter_meta *meta; struct bpf_map *map; } REREAD;
int visits;
SEC("iter/bpf_map") int each(struct bpf_iter__bpf_map *ctx) {
  __u32 words[2];
  struct bpf_map *map = ctx->map;
  if (!map) return 0;
  words[0] = map->id;
  words[1] = map->max_entries;
  visits++;
  bpf_seq_write(ctx->meta->seq, words, sizeof(words));
  return 0;
}
char LICENSE[] SEC("license") = "GPL";
`;

/** What makes a program run. */
export type Trigger = 'getpid' | 'packet' | 'test-run' | 'time' | 'open' | 'none';

/** A program, what its section does not say, and what makes it run. */
export interface LinkCase {
  readonly name: string;
  readonly trigger: Trigger;
  readonly options?: AttachOptions;
  /** The kind that the kernel gives its link. */
  readonly kind: string;
  /** The first line that has it. */
  readonly since?: number;
  /** The first line where it is a BPF link. */
  readonly linkSince?: number;
}

const LO = { interface: 'lo' } as const;
export const CGROUP = '/sys/fs/cgroup';

/** Versions from the commits that brought them: perf links b89fbfbb854c (5.15), kprobe.multi 0dcac2725406 (5.18), tcx e420bed02507 (6.6). */
export const LINK_CASES: readonly LinkCase[] = [
  { name: 'tp', trigger: 'getpid', kind: 'perf_event', linkSince: 5.15 },
  { name: 'raw', trigger: 'getpid', kind: 'raw_tracepoint' },
  { name: 'kprobe', trigger: 'getpid', kind: 'perf_event', linkSince: 5.15 },
  { name: 'kretprobe', trigger: 'getpid', kind: 'perf_event', linkSince: 5.15 },
  { name: 'ksyscall', trigger: 'getpid', kind: 'perf_event', linkSince: 5.15 },
  { name: 'multi', trigger: 'getpid', kind: 'kprobe_multi', since: 5.18 },
  { name: 'multi_return', trigger: 'getpid', kind: 'kprobe_multi', since: 5.18 },
  { name: 'fentry', trigger: 'test-run', kind: 'tracing' },
  { name: 'fexit', trigger: 'test-run', kind: 'tracing' },
  { name: 'modify', trigger: 'open', kind: 'tracing' },
  { name: 'btf_tp', trigger: 'getpid', kind: 'raw_tracepoint' },
  { name: 'lsm', trigger: 'open', kind: 'tracing' },
  { name: 'perf', trigger: 'time', kind: 'perf_event', linkSince: 5.15 },
  { name: 'lookup', trigger: 'packet', kind: 'netns' },
  { name: 'dissector', trigger: 'none', kind: 'netns' },
  { name: 'tc', trigger: 'packet', kind: 'tc', options: LO, linkSince: 99 },
  {
    name: 'classifier',
    trigger: 'packet',
    kind: 'tc',
    options: { ...LO, direction: 'egress', priority: 7 },
    linkSince: 99,
  },
  { name: 'tcx', trigger: 'packet', kind: 'tcx', options: LO, since: 6.6 },
  { name: 'xdp', trigger: 'packet', kind: 'xdp', options: { ...LO, mode: 'generic' } },
  { name: 'egress', trigger: 'packet', kind: 'cgroup', options: { cgroup: CGROUP } },
  { name: 'skb', trigger: 'packet', kind: 'cgroup', options: { cgroup: CGROUP, attachType: 'cgroup_inet_ingress' } },
];
