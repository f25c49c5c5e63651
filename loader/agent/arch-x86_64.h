/* What differs between architectures: entry point, system call instruction, numbers (arch/x86/entry/syscalls). */
#pragma once
#include <stddef.h>

enum system_call_number {
  SYS_read = 0,
  SYS_write = 1,
  SYS_close = 3,
  SYS_mmap = 9,
  SYS_munmap = 11,
  SYS_rt_sigaction = 13,
  SYS_rt_sigprocmask = 14,
  SYS_nanosleep = 35,
  SYS_clone = 56,
  SYS_execve = 59,
  SYS_wait4 = 61,
  SYS_kill = 62,
  SYS_uname = 63,
  SYS_fcntl = 72,
  SYS_chdir = 80,
  SYS_setpgid = 109,
  SYS_sync = 162,
  SYS_reboot = 169,
  SYS_sched_getaffinity = 204,
  SYS_clock_gettime = 228,
  SYS_exit_group = 231,
  SYS_openat = 257,
  SYS_ppoll = 271,
  SYS_signalfd4 = 289,
  SYS_dup3 = 292,
  SYS_pipe2 = 293,
  SYS_close_range = 436,
};

static inline long system_call(long number, long a, long b, long c, long d, long e, long f) {
  register long r10 __asm__("r10") = d;
  register long r8 __asm__("r8") = e;
  register long r9 __asm__("r9") = f;
  long result;
  __asm__ volatile("syscall"
                   : "=a"(result)
                   : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
                   : "rcx", "r11", "memory");
  return result;
}

/* The kernel leaves argc, argv, envp and the auxiliary vector at the stack pointer. */
#define ENTRY_POINT                  \
  __asm__(".globl _start\n"          \
          "_start:\n"                \
          "  xor %ebp, %ebp\n"       \
          "  mov %rsp, %rdi\n"       \
          "  and $-16, %rsp\n"       \
          "  call agent_main\n"      \
          "  ud2\n")

static inline void copy_bytes(void *to, const void *from, size_t length) {
  __asm__ volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(length) : : "memory");
}
