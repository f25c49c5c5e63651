// What kernels print when they break, as it comes over the serial port: "\r\n" at the end of each line.

function lines(...texts: string[]): string {
  return texts.map((text) => `${text}\r\n`).join('');
}

/** `echo c >/proc/sysrq-trigger`: since Linux 5.6 that panics at once (drivers/tty/sysrq.c). */
export const PANIC_6_12: string = lines(
  'ksym-matrix: agent starts on /dev/vport1p1',
  '[    4.100000] sysrq: Trigger a crash',
  '[    4.110000] Kernel panic - not syncing: sysrq triggered crash',
  '[    4.120000] CPU: 0 UID: 0 PID: 97 Comm: agent Not tainted 6.12.117+deb13-cloud-amd64 #1  Debian 6.12.117-1',
  '[    4.130000] Call Trace:',
  '[    4.140000]  <TASK>',
  '[    4.150000] ---[ end Kernel panic - not syncing: sysrq triggered crash ]---',
);

/** arch/x86/mm/fault.c, show_fault_oops(), then arch/x86/kernel/dumpstack.c. */
export const NULL_DEREFERENCE_5_10: string = lines(
  'ksym-matrix: agent starts on /dev/vport1p1',
  '[    3.100000] BUG: kernel NULL pointer dereference, address: 0000000000000000',
  '[    3.110000] #PF: supervisor write access in kernel mode',
  '[    3.120000] #PF: error_code(0x0002) - not-present page',
  '[    3.130000] PGD 0 P4D 0 ',
  '[    3.140000] Oops: 0002 [#1] SMP NOPTI',
  '[    3.150000] CPU: 0 PID: 97 Comm: agent Not tainted 5.10.0-46-cloud-amd64 #1 Debian 5.10.262-1',
  '[    3.160000] RIP: 0010:version_proc_show+0x2/0x40',
);

/** On older kernels, 6.1 among them, only page faults say "Oops:"; other exceptions name themselves (arch/x86/kernel/traps.c). */
export const OOPS_OF_INVALID_OPCODE_6_1: string = lines(
  'ksym-matrix: agent starts on /dev/vport1p1',
  '[    3.200000] invalid opcode: 0000 [#1] PREEMPT SMP NOPTI',
  '[    3.210000] CPU: 0 PID: 97 Comm: agent Not tainted 6.1.0-56-cloud-amd64 #1  Debian 6.1.192-2',
  '[    3.220000] RIP: 0010:version_proc_show+0x0/0x40',
);

/** kernel/watchdog.c, watchdog_timer_fn(). */
export const SOFT_LOCKUP_6_1: string = lines(
  'ksym-matrix: agent starts on /dev/vport1p1',
  '[   30.100000] watchdog: BUG: soft lockup - CPU#1 stuck for 26s! [agent:97]',
  '[   30.110000] Modules linked in: virtio_console',
);
