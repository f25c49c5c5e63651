/* The few kernel interfaces the agent itself needs, without a libc. Every wrapper returns the kernel's own -errno. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#if defined(__x86_64__)
#include "arch-x86_64.h"
#elif defined(__aarch64__)
#include "arch-aarch64.h"
#else
#error "no arch-*.h for this architecture yet: it needs the system call stub, the numbers and the entry point"
#endif

enum {
  EINTR = 4,
  EAGAIN = 11,
  ENOSYS = 38,
};
enum {
  O_RDONLY = 0,
  O_WRONLY = 1,
  O_RDWR = 2,
  O_NOCTTY = 0400,
  O_NONBLOCK = 04000,
  O_CLOEXEC = 02000000,
  AT_FDCWD = -100,
};
enum { F_GETFD = 1, F_SETFL = 4, F_DUPFD_CLOEXEC = 1030 };
enum { POLLIN = 1, POLLOUT = 4, POLLERR = 8, POLLHUP = 16 };
enum { SIGKILL = 9, SIGPIPE = 13, SIGCHLD = 17 };
enum { SIG_BLOCK = 0, SIG_SETMASK = 2 };
enum { WNOHANG = 1 };

struct poll_entry {
  int fd;
  short events;
  short revents;
};
struct time_spec {
  int64_t seconds;
  int64_t nanoseconds;
};

#define CALL0(n) system_call(n, 0, 0, 0, 0, 0, 0)
#define CALL1(n, a) system_call(n, (long)(a), 0, 0, 0, 0, 0)
#define CALL2(n, a, b) system_call(n, (long)(a), (long)(b), 0, 0, 0, 0)
#define CALL3(n, a, b, c) system_call(n, (long)(a), (long)(b), (long)(c), 0, 0, 0)
#define CALL4(n, a, b, c, d) system_call(n, (long)(a), (long)(b), (long)(c), (long)(d), 0, 0)

static inline _Noreturn void exit_now(int status) {
  for (;;) CALL1(SYS_exit_group, status);
}

/* Calls again for as long as a signal interrupts. */
static inline long read_some(int fd, void *bytes, size_t length) {
  long result;
  do result = CALL3(SYS_read, fd, bytes, length);
  while (result == -EINTR);
  return result;
}

static inline long write_some(int fd, const void *bytes, size_t length) {
  long result;
  do result = CALL3(SYS_write, fd, bytes, length);
  while (result == -EINTR);
  return result;
}

static inline void close_fd(int fd) { CALL1(SYS_close, fd); }

/* Zeroed memory of its own, or NULL. */
static inline void *map_memory(size_t length) {
  long result = system_call(SYS_mmap, 0, (long)length, 3 /* read, write */, 0x22 /* private, anonymous */, -1, 0);
  return result < 0 && result > -4096 ? NULL : (void *)result;
}

static inline void unmap_memory(void *memory, size_t length) { CALL2(SYS_munmap, memory, length); }

static inline void sleep_ms(int64_t ms) {
  struct time_spec time = {ms / 1000, ms % 1000 * 1000000};
  CALL2(SYS_nanosleep, &time, 0);
}

static inline int64_t monotonic_ms(void) {
  struct time_spec time = {0, 0};
  CALL2(SYS_clock_gettime, 1, &time);
  return time.seconds * 1000 + time.nanoseconds / 1000000;
}

/* Closes every descriptor from `first` up, but not `keep`. */
static inline void close_from(int first, int keep) {
  if (keep < first) {
    if (CALL3(SYS_close_range, first, ~0u, 0) == 0) return;
  } else {
    long below = keep > first ? CALL3(SYS_close_range, first, keep - 1, 0) : 0;
    if (below == 0 && CALL3(SYS_close_range, keep + 1, ~0u, 0) == 0) return;
  }
  for (int fd = first; fd < 4096; fd++) /* before Linux 5.9 */
    if (fd != keep) close_fd(fd);
}
