/** A line as a kernel prints it, and the deny rule that is to find it. */
export interface SplatSample {
  readonly rule: string;
  readonly line: string;
  /** Kernels whose image holds this very format, or the source that prints it where the kernels of the matrix are built without it. */
  readonly from: string;
}

/** The formats were read out of the images of Debian's cloud kernels 5.10 to 7.3; what stands in for `%s` is made up. */
export const SPLAT_SAMPLES: readonly SplatSample[] = [
  ...samples('stack-protector', 'all', [
    'Kernel panic - not syncing: stack-protector: Kernel stack is corrupted in: version_proc_show+0x4a/0x50',
  ]),
  ...samples('panic', 'all', [
    'Kernel panic - not syncing: sysrq triggered crash',
    'Kernel panic - not syncing: Fatal exception in interrupt',
    'Kernel panic - not syncing: System is deadlocked on memory',
    'Kernel panic - not syncing: softlockup: hung tasks',
    'Kernel panic - not syncing: Fatal machine check on current CPU',
  ]),
  ...samples('kernel-bug', 'all', ['kernel BUG at mm/slub.c:448!']),
  ...samples('kernel-bug', '5.10 to 7.0', ['Kernel BUG at kfree+0x10/0x20 [verbose debug info unavailable]']),
  ...samples('execute-protected', 'all', [
    'kernel tried to execute NX-protected page - exploit attempt? (uid: 0)',
    'unable to execute userspace code (SMEP?) (uid: 0)',
  ]),
  ...samples('page-fault', 'all', [
    'BUG: kernel NULL pointer dereference, address: 0000000000000000',
    'BUG: unable to handle page fault for address: ffffc90000a3d000',
  ]),
  ...samples('page-fault', 'arch/arm64/mm/fault.c', [
    'Unable to handle kernel NULL pointer dereference at virtual address 0000000000000000',
    'Unable to handle kernel paging request at virtual address ffff800081234000',
  ]),
  ...samples('stack-guard', '5.10', [
    'BUG: stack guard page was hit at 00000000c0f7ce4d (stack is 0000000013e2c1b6..00000000a0c5f0a2)',
  ]),
  ...samples('stack-guard', '6.1 to 7.3', [
    'BUG: TASK stack guard page was hit at ffffc900001bfff8 (stack is ffffc900001c0000..ffffc900001c4000)',
  ]),
  ...samples('fatal-exception', 'all', [
    'traps: PANIC: double fault, error_code: 0x0',
    'PANIC: early exception 0x0d IP 10:ffffffff81e0a1c4 error 0 cr2 0xffff888003400000',
  ]),
  ...samples('fatal-exception', '6.18 to 7.3', [
    'PANIC: invalid or fatal FRED event; event type 3 vector 14 error 0x0 aux 0x0 at 10:ffffffff81000000',
  ]),
  ...samples('general-protection', '5.10 and 6.1', [
    'general protection fault, probably for non-canonical address 0xdead000000000100: 0000 [#1] SMP NOPTI',
    'general protection fault: 0000 [#1] SMP NOPTI',
  ]),
  ...samples('general-protection', '6.12 to 7.3', [
    'Oops: general protection fault, maybe for address 0xffffc90000a3d000: 0000 [#1] SMP NOPTI',
  ]),
  ...samples('oops', '5.10', ['Oops: 0002 [#1] SMP NOPTI', 'invalid opcode: 0000 [#1] SMP NOPTI']),
  ...samples('oops', '6.1', ['invalid opcode: 0000 [#1] PREEMPT SMP NOPTI', 'divide error: 0000 [#2] PREEMPT SMP']),
  ...samples('oops', '6.12 to 7.3', ['Oops: Oops: 0002 [#1] SMP NOPTI', 'Oops: invalid opcode: 0000 [#1] SMP NOPTI']),
  ...samples('oops', 'arch/arm64/kernel/traps.c', [
    'Internal error: Oops: 0000000096000004 [#1] PREEMPT SMP',
    'Internal error: Oops - BUG: 00000000f2000800 [#1] SMP',
  ]),
  ...samples('bad-page', 'all', [
    'BUG: Bad page state in process agent  pfn:1e0a3',
    'BUG: non-zero pgtables_bytes on freeing mm: 4096',
    'BUG: Bad rss-counter state mm:00000000c0f7ce4d type:MM_ANONPAGES val:1',
  ]),
  ...samples('bad-page', '6.18 to 7.2', ['BUG: Bad page map in process agent  pte:8000000012345067']),
  ...samples('soft-lockup', 'all', ['watchdog: BUG: soft lockup - CPU#1 stuck for 26s! [agent:97]']),
  ...samples('soft-lockup', '6.16 to 6.18', ['sched_ext: Soft lockup - CPU0 stuck for 26s, disabling "simple"']),
  ...samples('soft-lockup', '6.19 to 7.3', ['sched_ext: Hard lockup - CPU 0, disabling BPF scheduler']),
  ...samples('hard-lockup', '5.10 and 6.1', ['NMI watchdog: Watchdog detected hard LOCKUP on cpu 1']),
  ...samples('hard-lockup', '6.12', ['watchdog: Watchdog detected hard LOCKUP on cpu 1']),
  ...samples('hard-lockup', '6.16 to 7.3', ['watchdog: CPU0: Watchdog detected hard LOCKUP on cpu 1']),
  ...samples('hard-lockup', 'arch/powerpc/kernel/watchdog.c', ['Watchdog CPU:1 Hard LOCKUP']),
  ...samples('workqueue-lockup', 'kernel/workqueue.c', [
    'BUG: workqueue lockup - pool cpus=0 node=0 flags=0x0 nice=0 stuck for 59s!',
  ]),
  ...samples('hung-task', '5.10 to 7.0', ['INFO: task agent:97 blocked for more than 120 seconds.']),
  ...samples('hung-task', '7.1 to 7.3', [
    'INFO: task agent:97 blocked for more than 122 seconds.',
    'INFO: task kworker/u8:1:31 blocked in I/O wait for more than 122 seconds.',
  ]),
  ...samples('hung-task', '6.19 to 7.3', [
    'INFO: The task agent:97 has been waiting for writeback completion for more than 122 seconds.',
  ]),
  ...samples('oom-killer', 'all', [
    'agent invoked oom-killer: gfp_mask=0x140cca(GFP_HIGHUSER_MOVABLE|__GFP_COMP), order=0, oom_score_adj=0',
  ]),
  ...samples('oom-victim', 'all', [
    'Out of memory: Killed process 97 (agent) total-vm:812kB, anon-rss:0kB, file-rss:4kB, shmem-rss:0kB, UID:0 pgtables:40kB oom_score_adj:0',
    'Memory cgroup out of memory: Killed process 97 (agent) total-vm:812kB, anon-rss:0kB, file-rss:4kB, shmem-rss:0kB, UID:0',
    'Out of memory and no killable processes...',
  ]),
  ...samples('allocation-failure', 'all', [
    'agent: page allocation failure: order:10, mode:0xcc0(GFP_KERNEL), nodemask=(null),cpuset=/,mems_allowed=0',
  ]),
  ...samples('allocation-failure', '5.10', ['agent: vmalloc: allocation failure: 4294967296 bytes, mode:0xcc0']),
  ...samples('allocation-failure', '6.1 to 7.3', [
    'agent: vmalloc error: size 4294967296, exceeds total pages, mode:0xcc0(GFP_KERNEL), nodemask=(null)',
  ]),
  ...samples('allocation-failure', '7.2 and 7.3', ['agent: page allocation stall for 10 secs: order:0, mode:0xcc0']),
  ...samples('machine-check', '6.12 to 7.3', [
    'mce: [Hardware Error]: CPU 0: Machine Check Exception: 5 Bank 9: bd000000000000c0',
    'mce: [Hardware Error]: Machine check events logged',
  ]),
  ...samples('unknown-nmi', 'all', ['Uhhuh. NMI received for unknown reason 2d on CPU 0.']),
  ...samples('slow-nmi', 'all', ['INFO: NMI handler (perf_event_nmi_handler) took too long to run: 1.250 msecs']),
  ...samples('unhandled-interrupt', 'all', ['irq 16: nobody cared (try booting with the "irqpoll" option)']),
  ...samples('netdevice-leak', 'all', ['unregister_netdevice: waiting for veth0 to become free. Usage count = 2']),
  ...samples('refcount', 'all', [
    'refcount_t: underflow; use-after-free.',
    'refcount_t: saturated; leaking memory.',
    'refcount_t: unknown saturation event!?.',
  ]),
  ...samples('list-corruption', 'all', [
    'list_del corruption, ffff888003400000->next is LIST_POISON1 (dead000000000100)',
    'list_add corruption. prev is NULL.',
    'list_add double add: new=ffff888003400000, prev=ffff888003400000, next=ffff888003400008.',
  ]),
  ...samples('suspicious-rcu', 'kernel/locking/lockdep.c', ['WARNING: suspicious RCU usage']),
  ...samples('lockdep', 'kernel/locking/lockdep.c', [
    'WARNING: possible circular locking dependency detected',
    'WARNING: possible recursive locking detected',
    'WARNING: possible irq lock inversion dependency detected',
    'WARNING: inconsistent lock state',
    'WARNING: SOFTIRQ-safe -> SOFTIRQ-unsafe lock order detected',
    'WARNING: bad unlock balance detected!',
    'WARNING: bad contention detected!',
    'WARNING: held lock freed!',
    'WARNING: agent/97 still has locks held!',
    'WARNING: lock held when returning to user space!',
    'WARNING: nested lock was not taken',
  ]),
  ...samples('lockdep', 'kernel/locking/rtmutex-debug.c of 5.10', ['WARNING: circular locking deadlock detected!']),
  ...samples('wait-context', 'kernel/locking/lockdep.c', ['[ BUG: Invalid wait context ]']),
  ...samples('lockdep-off', 'kernel/locking/lockdep.c', [
    'INFO: trying to register non-static key.',
    'BUG: MAX_LOCKDEP_ENTRIES too low!',
    'BUG: MAX_STACK_TRACE_ENTRIES too low!',
    'BUG: key ffff888003400000 has not been registered!',
  ]),
  ...samples('spinlock', 'kernel/locking/spinlock_debug.c', [
    'BUG: spinlock bad magic on CPU#0, agent/97',
    'BUG: rwlock wrong owner on CPU#1, agent/97, ffff888003400000',
  ]),
  ...samples('rcu-stall', 'all', [
    'rcu: INFO: rcu_sched self-detected stall on CPU',
    'rcu: INFO: rcu_preempt detected stalls on CPUs/tasks:',
    'rcu: INFO: rcu_preempt detected expedited stalls on CPUs/tasks: { 0-...D } 2684 jiffies s: 3397 root: 0x1/.',
  ]),
  ...samples('rcu-stall', '5.10 to 6.19', [
    'INFO: rcu_tasks_trace detected stalls on tasks:',
    'INFO: rcu_tasks_trace detected stalls? (Late IPI?)',
  ]),
  ...samples('rcu-stall', '6.1 to 7.3', ['INFO: rcu_tasks detected stalls on tasks:']),
  ...samples('rcu-starved', 'all', [
    'rcu: rcu_preempt kthread starved for 5250 jiffies! g1 f0x0 RCU_GP_WAIT_FQS(5) ->state=0x0 ->cpu=1',
  ]),
  ...samples('rcu-starved', 'kernel/rcu/tree_stall.h since 5.11', [
    "rcu: rcu_preempt kthread timer wakeup didn't happen for 5250 jiffies! g1 f0x0 RCU_GP_WAIT_FQS(5) ->state=0x402",
  ]),
  ...samples('atomic-context', 'all', ['BUG: scheduling while atomic: agent/97/0x00000002']),
  ...samples('atomic-context', 'kernel/sched/core.c', [
    'BUG: sleeping function called from invalid context at mm/slab.h:494',
    'BUG: assuming atomic context at kernel/seccomp.c:271',
    'BUG: assuming non migratable context at include/linux/filter.h:703',
  ]),
  ...samples('preemptible-cpu', 'lib/smp_processor_id.c', [
    'BUG: using smp_processor_id() in preemptible [00000000] code: agent/97',
    'BUG: using __this_cpu_add() in preemptible [00000000] code: agent/97',
  ]),
  ...samples('workqueue-leak', '5.10 and 6.1', ['BUG: workqueue leaked lock or atomic: kworker/0:1/0x00000001/31']),
  ...samples('workqueue-leak', '6.12 to 7.3', ['BUG: workqueue leaked atomic, lock or RCU: kworker/0:1[31]']),
  ...samples('kasan', 'mm/kasan/report.c', [
    'BUG: KASAN: slab-use-after-free in bpf_prog_free_deferred+0x2b/0x300',
    'BUG: KASAN: null-ptr-deref in __htab_map_lookup_elem+0x9c/0x120',
  ]),
  ...samples('kcsan', 'kernel/kcsan/report.c', ['BUG: KCSAN: data-race in bpf_lru_pop_free / bpf_lru_push_free']),
  ...samples('kmsan', 'mm/kmsan/report.c', ['BUG: KMSAN: uninit-value in ___bpf_prog_run+0x9c2/0xb80']),
  ...samples('kfence', '6.12 to 7.3', [
    'BUG: KFENCE: out-of-bounds read in test_out_of_bounds_read+0xa6/0x234',
    'BUG: KFENCE: memory corruption in test_corruption+0x98/0x19f',
    'BUG: KFENCE: invalid free in test_double_free+0x1dc/0x1e9',
  ]),
  ...samples('ubsan', '6.16 to 7.3', ['UBSAN: array-index-out-of-bounds in kernel/bpf/core.c:123:4']),
  ...samples('slab', 'all', [
    'BUG kmalloc-64 (Not tainted): Left Redzone overwritten',
    'BUG kmalloc-64 (Tainted: G    B   W         ): Object already free',
  ]),
  ...samples('bpf-private-stack', '6.16 to 7.3', [
    'BPF private stack overflow/underflow detected for prog bpf_prog_1f2e3d4c5b6a7988x',
  ]),
  ...samples('cfi', 'kernel/cfi.c', [
    'CFI failure at bpf_dispatcher_nop_func+0x1a/0x30 (target: bpf_prog_1f2e3d4c+0x0/0x40; expected type: 0xee23ceb1)',
  ]),
  ...samples('kmemleak', 'mm/kmemleak.c', ['kmemleak: 3 new suspicious memory leaks (see /sys/kernel/debug/kmemleak)']),
  ...samples('warning', '5.10 to 6.18', [
    'WARNING: CPU: 1 PID: 97 at kernel/bpf/verifier.c:1234 do_check+0x1a/0x30',
    'WARNING: CPU: 1 PID: 97 at do_check+0x1a/0x30',
  ]),
  ...samples('warning', '6.19 to 7.3', [
    'WARNING: kernel/bpf/verifier.c:1234 at do_check+0x1a/0x30, CPU#1: agent/97',
    'WARNING: at do_check+0x1a/0x30, CPU#1: agent/97',
  ]),
  ...samples('bug', 'all', [
    'BUG: arch topology borken',
    'BUG: Dentry 00000000c0f7ce4d{i=1,n=x}  still in use (1) [unmount of tmpfs tmpfs]',
  ]),
];

/** Lines that look like trouble and are none; the first eight stand on consoles of healthy boots of the matrix's kernels. */
export const HEALTHY_LINES: readonly string[] = [
  '..MP-BIOS bug: 8254 timer not connected to IO-APIC',
  'PCI: Using host bridge windows from ACPI; if necessary, use "pci=nocrs" and report a bug',
  'NMI watchdog: Perf NMI watchdog permanently disabled',
  'calibrate_delay_direct() failed to get a good estimate for loops_per_jiffy.',
  'tsc: Unable to calibrate against PIT',
  'RAS: Correctable Errors collector initialized.',
  'rcu: Hierarchical RCU implementation.',
  'NX (Execute Disable) protection: active',
  // Formats of the same images that tell of settings, of user space, or of the watchdogs themselves.
  'Kernel command line: console=ttyS0 oops=panic softlockup_panic=1',
  'rcu: 	RCU CPU stall warnings timeout set to 60 (rcu_cpu_stall_timeout).',
  'Spectre V2 : WARNING: Unprivileged eBPF is enabled with eIBRS on, data leaks possible via Spectre v2 BHB attacks!',
  'RETBleed: WARNING: Spectre v2 mitigation leaves CPU vulnerable to RETBleed attacks, data leaks possible!',
  'WARNING: stack going in the wrong direction? at entry_SYSCALL_64_after_hwframe+0x76/0x7e',
  'agent[97] is installing a program with bpf_probe_write_user helper that may corrupt user memory!',
  'traps: agent[97] general protection fault ip:401000 sp:7ffc0a1b2c30 error:0 in agent[401000+1000]',
  'agent[97]: segfault at 0 ip 0000000000401000 sp 00007ffc0a1b2c30 error 4 in agent[401000+1000]',
  'workqueue: output_poll_execute hogged CPU for >10000us 4 times, consider switching to WQ_UNBOUND',
  'sched_ext: BPF scheduler "simple" enabled',
  'perf: interrupt took too long (2560 > 2500), lowering kernel.perf_event_max_sample_rate to 78000',
  'INFO: recovery required on readonly filesystem',
  'NMI backtrace for cpu 0 skipped: idling at default_idle+0xf/0x20',
  'clocksource: timekeeping watchdog on CPU1: Marking clocksource tsc as unstable because the skew is too large:',
  'mce: CPU supports 10 MCE banks',
  'kmemleak: Kernel memory leak detector initialized (mem pool available: 15679)',
  'BUGS: none; debug: DEBUG: x',
];

function samples(rule: string, from: string, texts: readonly string[]): SplatSample[] {
  return texts.map((line) => ({ rule, line, from }));
}
