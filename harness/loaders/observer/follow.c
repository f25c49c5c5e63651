/* The tracer: lets everything go on, and looks at each bpf(2) call when it is done. */
#include "observer.h"

static void go_on(long pid, int how, int signal) { CALL4(SYS_ptrace, how, pid, 0, signal); }

/* Code segment of 64-bit programs, arch/x86/include/asm/segment.h: others have other numbers for their calls. */
#define USER_CS 0x33

/* At the end of a call: its arguments are in the registers still, and the result too. */
static void look_at_call(long pid) {
  struct registers registers;
  memset(&registers, 0, sizeof registers);
  if (CALL4(SYS_ptrace, PTRACE_GETREGS, pid, 0, &registers) < 0) return;
  if (registers.orig_rax != SYS_bpf || registers.cs != USER_CS) return;
  /* Where every call stops, this may be its beginning: the result is this one until there is one (arch/x86/entry/entry_64.S). */
  if ((int64_t)registers.rax == -ENOSYS) return;
  record_call(pid, (uint32_t)registers.rdi & BPF_COMMAND_BITS, registers.rsi, (uint32_t)registers.rdx, (int64_t)registers.rax);
}

static bool is_stopping(int signal) {
  return signal == SIGSTOP || signal == SIGTSTP || signal == SIGTTIN || signal == SIGTTOU;
}

int follow(long child, bool is_filtered) {
  /* Without a filter every call stops at its beginning and at its end: some 10 times as slow, and the same record. */
  const int how = is_filtered ? PTRACE_CONT : PTRACE_SYSCALL;
  bool runs = false;
  for (;;) {
    int status = 0;
    long pid = CALL4(SYS_wait4, -1, &status, WAIT_ALL, 0);
    if (pid == -EINTR) continue;
    if (pid < 0) give_up("the command was lost (wait4)", NULL, -pid);
    if ((status & 0xff) != 0x7f) {
      if (pid != child) continue;
      /* What it leaves behind ends with the observer (PTRACE_O_EXITKILL). */
      if (!runs) return EXIT_NOT_OBSERVED;
      finish_record(status);
      return (status & 0x7f) != 0 ? 128 + (status & 0x7f) : status >> 8 & 0xff;
    }
    int signal = status >> 8 & 0xff;
    switch (status >> 16) {
      case PTRACE_EVENT_SECCOMP:
        /* Since Linux 4.8 a filter decides when the call is about to be made: the next stop is its end. */
        go_on(pid, PTRACE_SYSCALL, 0);
        break;
      case PTRACE_EVENT_STOP:
        go_on(pid, is_stopping(signal) ? PTRACE_LISTEN : how, 0);
        break;
      case PTRACE_EVENT_EXEC:
        runs = true;
        go_on(pid, how, 0);
        break;
      case 0:
        if (signal == (SIGTRAP | 0x80)) {
          look_at_call(pid);
          go_on(pid, how, 0);
        } else {
          go_on(pid, how, signal);
        }
        break;
      default:
        go_on(pid, how, 0);
    }
  }
}

/* Word by word, for a kernel without CONFIG_CROSS_MEMORY_ATTACH. */
static size_t peek_memory(long pid, uint64_t from, unsigned char *to, size_t length) {
  size_t done = 0;
  while (done < length) {
    uint64_t word;
    uint64_t at = from + done;
    if (CALL4(SYS_ptrace, PTRACE_PEEKDATA, pid, at & ~7ull, &word) < 0) break;
    for (uint64_t i = at & 7; i < 8 && done < length; i++) to[done++] = (unsigned char)(word >> 8 * i);
  }
  return done;
}

size_t read_memory(long pid, uint64_t from, void *to, size_t length) {
  static bool by_words;
  size_t done = 0;
  while (done < length && !by_words) {
    struct io_vector here = {(uint64_t)to + done, length - done};
    struct io_vector there = {from + done, length - done};
    long result = system_call(SYS_process_vm_readv, pid, (long)&here, 1, (long)&there, 1, 0);
    if (result == -ENOSYS || result == -EPERM) by_words = true;
    else if (result <= 0) break;
    else done += (size_t)result;
  }
  return by_words ? peek_memory(pid, from, to, length) : done;
}
