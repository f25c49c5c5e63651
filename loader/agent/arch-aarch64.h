/* What differs between architectures: entry point, system call instruction, numbers (include/uapi/asm-generic/unistd.h). */
#pragma once
#include <stddef.h>

enum system_call_number {
  SYS_dup3 = 24,
  SYS_fcntl = 25,
  SYS_chdir = 49,
  SYS_openat = 56,
  SYS_close = 57,
  SYS_pipe2 = 59,
  SYS_read = 63,
  SYS_write = 64,
  SYS_ppoll = 73,
  SYS_signalfd4 = 74,
  SYS_sync = 81,
  SYS_exit_group = 94,
  SYS_nanosleep = 101,
  SYS_clock_gettime = 113,
  SYS_sched_getaffinity = 123,
  SYS_kill = 129,
  SYS_rt_sigaction = 134,
  SYS_rt_sigprocmask = 135,
  SYS_reboot = 142,
  SYS_setpgid = 154,
  SYS_uname = 160,
  SYS_munmap = 215,
  SYS_clone = 220,
  SYS_execve = 221,
  SYS_mmap = 222,
  SYS_wait4 = 260,
  SYS_close_range = 436,
};

static inline long system_call(long number, long a, long b, long c, long d, long e, long f) {
  register long x8 __asm__("x8") = number;
  register long x0 __asm__("x0") = a;
  register long x1 __asm__("x1") = b;
  register long x2 __asm__("x2") = c;
  register long x3 __asm__("x3") = d;
  register long x4 __asm__("x4") = e;
  register long x5 __asm__("x5") = f;
  __asm__ volatile("svc #0"
                   : "+r"(x0)
                   : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x5)
                   : "memory");
  return x0;
}

/* The kernel leaves argc, argv, envp and the auxiliary vector at the stack pointer. */
#define ENTRY_POINT           \
  __asm__(".globl _start\n"   \
          "_start:\n"         \
          "  mov x29, #0\n"   \
          "  mov x30, #0\n"   \
          "  mov x0, sp\n"    \
          "  bl agent_main\n" \
          "  brk #0\n")

static inline void copy_bytes(void *to, const void *from, size_t length) {
  /* By words while both sides allow it: without a libc the compiler has no memcpy to call. */
  unsigned char *target = to;
  const unsigned char *source = from;
  for (; length >= 8; length -= 8, target += 8, source += 8) {
    unsigned long word;
    __asm__ volatile("ldr %0, [%1]" : "=r"(word) : "r"(source) : "memory");
    __asm__ volatile("str %0, [%1]" : : "r"(word), "r"(target) : "memory");
  }
  for (; length > 0; length--) {
    __asm__ volatile("" : : : "memory");
    *target++ = *source++;
  }
}
