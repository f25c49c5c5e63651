import type { Test } from 'tap';
import { PROGRAM_TYPES } from '../program-types.ts';
import { parseSectionName, refuseUnknownSection } from '../section-names.ts';
import { SECTION_RULES } from '../section-rules.ts';

/** Tests of {@link parseSectionName}. */
export function testSectionNames(t: Test): void {
  // section_defs in libbpf's src/libbpf.c; numbers from enum bpf_prog_type and enum bpf_attach_type.
  const cases: readonly (readonly [string, number, number | null, string | null, string?])[] = [
    ['socket', 1, null, null],
    ['kprobe/do_exit', 2, null, 'do_exit'],
    ['kprobe', 2, null, null],
    ['uretprobe.s//bin/sh:main', 2, null, '/bin/sh:main', 'sleepable'],
    ['kprobe.multi/tcp_*', 2, 42, 'tcp_*'],
    ['uprobe.session.s/x', 2, 57, 'x', 'sleepable'],
    ['usdt/libc.so.6:libc:setjmp', 2, null, 'libc.so.6:libc:setjmp'],
    ['ksyscall/read', 2, null, 'read'],
    ['tc', 3, null, null],
    ['classifier', 3, null, null],
    ['tc/ingress', 3, 46, null],
    ['tcx/egress', 3, 47, null],
    ['netkit/peer', 3, 55, null],
    ['action', 4, null, null],
    ['tp/sched/sched_switch', 5, null, 'sched/sched_switch'],
    ['tracepoint/sched/sched_switch', 5, null, 'sched/sched_switch'],
    ['xdp', 6, 37, null],
    ['xdp.frags', 6, 37, null, '32'],
    ['xdp/devmap', 6, 33, null],
    ['xdp.frags/cpumap', 6, 35, null, '32'],
    ['perf_event', 7, null, null],
    ['cgroup_skb/egress', 8, 1, null],
    ['cgroup/skb', 8, null, null],
    ['cgroup/sock', 9, 2, null],
    ['lwt_seg6local', 19, null, null],
    ['sockops', 13, 3, null],
    ['sk_skb', 14, null, null],
    ['sk_skb/stream_verdict', 14, 5, null],
    ['cgroup/dev', 15, 6, null],
    ['sk_msg', 16, 7, null],
    ['raw_tp/sys_enter', 17, null, 'sys_enter'],
    ['cgroup/sendmsg_unix', 18, 50, null],
    ['lirc_mode2', 20, 16, null],
    ['sk_reuseport/migrate', 21, 40, null],
    ['flow_dissector', 22, 17, null],
    ['cgroup/sysctl', 23, 18, null],
    ['raw_tp.w/bpf_test', 24, null, 'bpf_test'],
    ['cgroup/getsockopt', 25, 21, null],
    ['tp_btf/sched_switch', 26, 23, 'sched_switch'],
    ['fentry/x', 26, 24, 'x'],
    ['fentry', 26, 24, null],
    ['fexit.s/x', 26, 25, 'x', 'sleepable'],
    ['fmod_ret/x', 26, 26, 'x'],
    ['fsession.s/x', 26, 58, 'x', 'sleepable'],
    ['iter/task', 26, 28, 'task'],
    ['struct_ops.s/x', 27, null, 'x', 'sleepable'],
    ['freplace/x', 28, null, 'x'],
    ['lsm/file_open', 29, 27, 'file_open'],
    ['lsm.s/file_open', 29, 27, 'file_open', 'sleepable'],
    ['lsm_cgroup/socket_bind', 29, 43, 'socket_bind'],
    ['sk_lookup', 30, 36, null],
    ['syscall', 31, null, null, 'sleepable'],
    ['netfilter', 32, 45, null],
  ];
  for (const [section, type, attachType, target, special] of cases) {
    for (const optional of ['', '?']) {
      const found = parseSectionName(`${optional}${section}`);
      t.strictSame(
        [PROGRAM_TYPES[found.type], found.attachType, found.target, found.sleepable, found.flags, found.autoload],
        [type, attachType, target, special === 'sleepable', special === '32' ? 32 : 0, optional === ''],
        `${optional}${section}`,
      );
    }
  }
  t.equal(SECTION_RULES.size, 105 + 1, 'libbpf 1.7 has 105 names; socket_filter is one of other loaders');
  for (const section of ['xdp.s', 'tp_btf.s/x', 'tc/other', 'syscall/x', '', 'prog', 'kprobes/x']) {
    t.equal(parseSectionName(section).type, 'unspecified', `“${section}”`);
  }
  const near = refuseUnknownSection('?fentri/x', { file: 'x.o', symbol: 'prog' });
  t.match(near, { code: 'unknown-program-section', section: '?fentri/x', fix: /^Did you mean fentry\/…\?/ });
  t.match(refuseUnknownSection('cgroup/conect4', { file: '', symbol: '' }), { fix: /cgroup\/connect4/ });
  t.match(refuseUnknownSection('prog', { file: '', symbol: '' }), {
    fix: /^These are known: socket\/…, .*netfilter\./,
  });
  t.end();
}
