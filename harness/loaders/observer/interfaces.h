/* Kernel interfaces that the observer needs beyond those of the agent. Every call returns the kernel's own -errno. */
#pragma once
#include "system.h"

#if !defined(__x86_64__)
#error "no registers and numbers for this architecture yet"
#endif

/* arch/x86/entry/syscalls/syscall_64.tbl */
enum observer_call_number {
  SYS_getpid = 39,
  SYS_ptrace = 101,
  SYS_setresuid = 117,
  SYS_capget = 125,
  SYS_capset = 126,
  SYS_prctl = 157,
  SYS_process_vm_readv = 310,
  SYS_bpf = 321,
};
#define AUDIT_ARCH_NATIVE 0xc000003eu /* AUDIT_ARCH_X86_64; 32-bit programs have another, x32 has other numbers */

enum { O_CREAT = 0100, O_TRUNC = 01000 };
enum { EPERM = 1, ENOENT = 2, EIO = 5, EACCES = 13, ECHILD = 10, EINVAL = 22 };
enum { WAIT_ALL = 0x40000000 /* __WALL: threads too */ };
enum { SIGTRAP = 5, SIGSTOP = 19, SIGTSTP = 20, SIGTTIN = 21, SIGTTOU = 22 };

/* include/uapi/linux/ptrace.h */
enum {
  PTRACE_PEEKDATA = 2,
  PTRACE_CONT = 7,
  PTRACE_GETREGS = 12,
  PTRACE_SYSCALL = 24,
  PTRACE_SEIZE = 0x4206,
  PTRACE_LISTEN = 0x4208,
};
enum { PTRACE_EVENT_EXEC = 4, PTRACE_EVENT_SECCOMP = 7, PTRACE_EVENT_STOP = 128 };
enum {
  PTRACE_O_TRACESYSGOOD = 1,
  PTRACE_O_TRACEFORK = 1 << 1,
  PTRACE_O_TRACEVFORK = 1 << 2,
  PTRACE_O_TRACECLONE = 1 << 3,
  PTRACE_O_TRACEEXEC = 1 << 4,
  PTRACE_O_TRACESECCOMP = 1 << 7,
  PTRACE_O_EXITKILL = 1 << 20,
};

/* struct user_regs_struct, arch/x86/include/asm/user_64.h */
struct registers {
  uint64_t r15, r14, r13, r12, rbp, rbx, r11, r10, r9, r8, rax, rcx, rdx, rsi, rdi, orig_rax;
  uint64_t rip, cs, eflags, rsp, ss, fs_base, gs_base, ds, es, fs, gs;
};

/* include/uapi/linux/prctl.h, seccomp.h */
enum {
  PR_SET_KEEPCAPS = 8,
  PR_SET_SECCOMP = 22,
  PR_CAPBSET_READ = 23,
  PR_CAPBSET_DROP = 24,
  PR_SET_NO_NEW_PRIVS = 38,
  PR_CAP_AMBIENT = 47,
};
enum { PR_CAP_AMBIENT_RAISE = 2, PR_CAP_AMBIENT_CLEAR_ALL = 4 };
enum { SECCOMP_MODE_FILTER = 2 };
#define SECCOMP_RET_TRACE 0x7ff00000u
#define SECCOMP_RET_ALLOW 0x7fff0000u

struct io_vector {
  uint64_t base;
  uint64_t length;
};
