import { ExplainedError } from '../errors.ts';

/** Numbers of the system calls the loader and the harness make through an agent, on x86-64 (arch/x86/entry/syscalls/syscall_64.tbl). */
export const SYSCALL_X86_64 = {
  read: 0,
  write: 1,
  close: 3,
  mmap: 9,
  munmap: 11,
  ioctl: 16,
  pread64: 17,
  readv: 19,
  writev: 20,
  getpid: 39,
  socket: 41,
  setsockopt: 54,
  uname: 63,
  chdir: 80,
  getuid: 102,
  chroot: 161,
  mount: 165,
  umount2: 166,
  setresuid: 117,
  capget: 125,
  capset: 126,
  prctl: 157,
  sched_setaffinity: 203,
  sched_getaffinity: 204,
  clock_settime: 227,
  epoll_wait: 232,
  openat: 257,
  prlimit64: 302,
  perf_event_open: 298,
  finit_module: 313,
  delete_module: 176,
  bpf: 321,
} as const;

/** The name of a system call in {@link SYSCALL_X86_64}. */
export type SyscallName = keyof typeof SYSCALL_X86_64;

/** The number of a system call on a machine as `uname -m` names it. Throws ExplainedError `agent-architecture` for a machine the agent is not built for. */
export function syscallNumber(machine: string, name: SyscallName): number {
  if (machine !== 'x86_64')
    throw new ExplainedError('agent-architecture', `no system call numbers for ${machine} yet`, {
      fix: 'use an x86_64 kernel: other machines are planned',
    });
  return SYSCALL_X86_64[name];
}
