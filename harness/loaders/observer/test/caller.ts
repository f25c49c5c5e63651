/**
 * A program that makes bpf(2) calls of every kind that the observer records, from a thread, a child and itself, and prints their results as lines of hexadecimal
 * digits. It needs no privileges: a refused call is one as well. `big`: calls with more than a record holds. `wait`: goes on for ever. `plain`:
 * becomes the command that follows, for which the kernel has no seccomp filters. Ends with 7.
 */
export const CALLER_SOURCE = `
#include "interfaces.h"
__asm__(".globl _start\\n_start:\\n  mov %rsp, %rdi\\n  and $-16, %rsp\\n  call caller_main\\n  ud2\\n");

void *memset(void *to, int value, size_t length) {
  for (volatile unsigned char *at = to; length > 0; length--) *at++ = (unsigned char)value;
  return to;
}

static uint64_t attributes[19];
static unsigned *const words = (unsigned *)attributes;
static volatile int thread_done;
static char stack[65536] __attribute__((aligned(16)));

static void print(long result) {
  char line[17];
  for (int i = 0; i < 16; i++) line[i] = "0123456789abcdef"[result >> (60 - 4 * i) & 15];
  line[16] = '\\n';
  write_some(1, line, sizeof line);
}

static void call(int command) { print(CALL3(SYS_bpf, command, attributes, sizeof attributes)); }

static void name(unsigned offset, const char *text) {
  for (int i = 0; text[i] != 0; i++) ((char *)attributes)[offset + i] = text[i];
}

static void load(void *instructions, unsigned count, void *log, unsigned log_size) {
  memset(attributes, 0, sizeof attributes);
  words[0] = 1;
  words[1] = count;
  attributes[1] = (uint64_t)instructions;
  attributes[2] = (uint64_t)"GPL";
  words[6] = log == 0 ? 0 : 1;
  words[7] = log_size;
  attributes[4] = (uint64_t)log;
  name(48, "observed_name_1");
}

__attribute__((used)) void thread_main(void) {
  memset(attributes, 0, sizeof attributes);
  words[0] = 2;
  words[1] = words[2] = 4;
  words[3] = 1;
  name(28, "thread");
  call(0);
  thread_done = 1;
  for (;;) CALL1(60 /* exit */, 0);
}

static void run_thread(void) {
  register long none __asm__("r10") = 0;
  register long nothing __asm__("r8") = 0;
  long result = SYS_clone;
  __asm__ volatile("syscall\\n test %%rax, %%rax\\n jnz 1f\\n call thread_main\\n 1:"
                   : "+a"(result)
                   : "D"(0x10f00 /* VM, FS, FILES, SIGHAND, THREAD */), "S"(stack + sizeof stack), "d"(0), "r"(none), "r"(nothing)
                   : "rcx", "r11", "memory");
  while (!thread_done) sleep_ms(1);
}

/* What prctl(2) says without CONFIG_SECCOMP_FILTER (kernel/seccomp.c, do_seccomp): EINVAL. */
static void become_plain(char **argv) {
  static const struct {
    uint16_t code;
    uint8_t if_true, if_false;
    uint32_t value;
  } steps[] = {
      {0x20, 0, 0, 0},  {0x15, 0, 3, SYS_prctl}, {0x20, 0, 0, 16}, {0x15, 0, 1, PR_SET_SECCOMP}, {0x06, 0, 0, 0x50000 | EINVAL},
      {0x06, 0, 0, SECCOMP_RET_ALLOW},
  };
  struct {
    uint16_t length;
    const void *steps;
  } program = {sizeof steps / sizeof *steps, steps};
  system_call(SYS_prctl, PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0, 0);
  CALL3(SYS_prctl, PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program);
  CALL3(SYS_execve, argv[0], argv, 0 /* no environment */);
  exit_now(8);
}

__attribute__((used)) void caller_main(char **arguments) {
  char mode = arguments[0] == (char *)1 ? 0 : arguments[2][0];
  if (mode == 'p') become_plain(arguments + 3);
  if (mode == 'b') {
    unsigned char *code = map_memory(2u << 20);
    for (unsigned i = 0; i < (3u << 19); i++) code[i] = 'x';
    load(code, 0, code, 2u << 20);
    call(5);
    load(code, (1u << 17) + 1, 0, 0);
    call(5);
    for (int i = 0; i < 20; i++) {
      load(code, 1u << 17, 0, 0);
      call(5);
    }
    exit_now(7);
  }
  run_thread();
  long child = CALL1(SYS_clone, SIGCHLD);
  if (child == 0) {
    memset(attributes, 0, sizeof attributes);
    call(18); /* BPF_BTF_LOAD of nothing */
    exit_now(0);
  }
  CALL4(SYS_wait4, child, 0, 0, 0);

  /* r0 = 0; a call of the kfunc 77 of fd_array[2]; exit */
  uint64_t code[] = {0xb7, 0x85 | 0x20ull << 8 | 2ull << 16 | 77ull << 32, 0x95};
  int descriptors[] = {5, 6, 70};
  char log[64] = "words of before";
  load(code, 3, log, sizeof log);
  attributes[15] = (uint64_t)descriptors;
  call(5);
  print(log[0]);
  memset(attributes, 0, sizeof attributes);
  words[0] = 1;
  call(19); /* BPF_BTF_GET_FD_BY_ID */
  memset(attributes, 0, sizeof attributes);
  call(1); /* BPF_MAP_LOOKUP_ELEM, which is not recorded */
  if (mode == 'w') sleep_ms(1000000);
  exit_now(7);
}
`;
