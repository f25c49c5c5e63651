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
  dup: 32,
  readv: 19,
  writev: 20,
  getpid: 39,
  socket: 41,
  connect: 42,
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
  bind: 49,
  recvfrom: 45,
  sendto: 44,
  mkdirat: 258,
  ppoll: 271,
  fsopen: 430,
  fsconfig: 431,
  fsmount: 432,
  finit_module: 313,
  delete_module: 176,
  unlinkat: 263,
  bpf: 321,
  memfd_create: 319,
} as const;

/** The name of a system call in {@link SYSCALL_X86_64}. */
export type SyscallName = keyof typeof SYSCALL_X86_64;

/** The same on 64-bit ARM (include/uapi/asm-generic/unistd.h); null for calls that only older architectures have. */
const SYSCALL_AARCH64: Readonly<Record<SyscallName, number | null>> = {
  read: 63,
  write: 64,
  close: 57,
  mmap: 222,
  munmap: 215,
  ioctl: 29,
  pread64: 67,
  dup: 23,
  readv: 65,
  writev: 66,
  getpid: 172,
  socket: 198,
  connect: 203,
  setsockopt: 208,
  uname: 160,
  chdir: 49,
  getuid: 174,
  chroot: 51,
  mount: 40,
  umount2: 39,
  setresuid: 147,
  capget: 90,
  capset: 91,
  prctl: 167,
  sched_setaffinity: 122,
  sched_getaffinity: 123,
  clock_settime: 112,
  epoll_wait: null,
  openat: 56,
  prlimit64: 261,
  perf_event_open: 241,
  finit_module: 273,
  delete_module: 106,
  bind: 200,
  recvfrom: 207,
  sendto: 206,
  mkdirat: 34,
  ppoll: 73,
  fsopen: 430,
  fsconfig: 431,
  fsmount: 432,
  unlinkat: 35,
  bpf: 280,
  memfd_create: 279,
};

/** The number of a system call on a machine as `uname -m` names it. Throws ExplainedError `agent-architecture` for a machine that has no such call, or none that is known. */
export function syscallNumber(machine: string, name: SyscallName): number {
  const number =
    machine === 'x86_64' ? SYSCALL_X86_64[name] : machine === 'aarch64' ? SYSCALL_AARCH64[name] : undefined;
  if (typeof number === 'number') return number;
  if (number === null) throw new ExplainedError('agent-architecture', `${machine} has no system call ${name}`);
  throw new ExplainedError('agent-architecture', `no system call numbers for ${machine}`, {
    fix: 'use a kernel for x86_64 or aarch64',
  });
}
