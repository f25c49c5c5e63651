/* A loader that does what no loader should: `strange HOW OBJECT`. Without a libc, so that any guest runs it. */
#include "system.h"

#include <linux/bpf.h>

enum { NR_BPF = 321, NR_SETSID = 112 };

ENTRY_POINT;

static long bpf(int command, union bpf_attr *attr) { return CALL3(NR_BPF, command, attr, sizeof *attr); }

static void say(const char *text) {
  size_t length = 0;
  while (text[length]) length++;
  write_some(1, text, length);
}

/* A program that returns 0. */
static long load(void) {
  static const struct bpf_insn code[] = {
      {.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0},
      {.code = BPF_JMP | BPF_EXIT},
  };
  union bpf_attr attr = {
      .prog_type = BPF_PROG_TYPE_SOCKET_FILTER,
      .insns = (uint64_t)code,
      .insn_cnt = 2,
      .license = (uint64_t) "GPL",
  };
  return bpf(BPF_PROG_LOAD, &attr);
}

/* It is there after everybody who could use it has ended. */
static int pin(void) {
  long program = load();
  if (program < 0) return 1;
  union bpf_attr place = {.pathname = (uint64_t) "/sys/fs/bpf/strange", .bpf_fd = (uint32_t)program};
  return bpf(BPF_OBJ_PIN, &place) < 0;
}

/* A process in a session of its own that nobody waits for. */
static int leave(void) {
  if (load() < 0) return 1;
  long child = CALL2(SYS_clone, SIGCHLD, 0);
  if (child == 0) {
    CALL0(NR_SETSID);
    sleep_ms(600000);
    exit_now(0);
  }
  return child < 0;
}

static int behave(long *stack) {
  const char *how = stack[0] > 1 ? (const char *)stack[2] : "";
  switch (how[0]) {
    case 'c':
      *(volatile int *)8 = 0;
      return 0;
    case 'h':
      say("waiting for what does not come\n");
      sleep_ms(600000);
      return 0;
    case 'r':
      say("{\"protocol\": 1, \"loader\": \"none\"}\n");
      return 0;
    case 'p':
      return pin();
    case 'l':
      return leave();
    case 'i':
      return 0;
  }
  return 2;
}

__attribute__((used)) _Noreturn void agent_main(long *stack) { exit_now(behave(stack)); }
