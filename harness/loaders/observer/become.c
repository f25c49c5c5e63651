/* What the child does before it is the command: the filter that reports its bpf(2) calls, then who it is to be. */
#include "observer.h"

struct filter_step {
  uint16_t code;
  uint8_t if_true, if_false;
  uint32_t value;
};
struct filter_program {
  uint16_t length;
  const struct filter_step *steps;
};

/* linux/filter.h: classic BPF over struct seccomp_data { int nr; u32 arch; u64 instruction_pointer; u64 args[6]; } */
#define LOAD_WORD 0x20
#define AND_VALUE 0x54
#define JUMP_EQUAL 0x15
#define RETURN_VALUE 0x06
#define AT_NUMBER 0
#define AT_ARCHITECTURE 4
#define AT_FIRST_ARGUMENT 16

/* Every call but the four that are recorded goes on without a stop. */
static const struct filter_step FILTER[] = {
    {LOAD_WORD, 0, 0, AT_ARCHITECTURE},
    {JUMP_EQUAL, 0, 8, AUDIT_ARCH_NATIVE},
    {LOAD_WORD, 0, 0, AT_NUMBER},
    {JUMP_EQUAL, 0, 6, SYS_bpf},
    {LOAD_WORD, 0, 0, AT_FIRST_ARGUMENT},
    {AND_VALUE, 0, 0, BPF_COMMAND_BITS},
    {JUMP_EQUAL, 4, 0, BPF_MAP_CREATE},
    {JUMP_EQUAL, 3, 0, BPF_PROG_LOAD},
    {JUMP_EQUAL, 2, 0, BPF_BTF_LOAD},
    {JUMP_EQUAL, 1, 0, BPF_BTF_GET_FD_BY_ID},
    {RETURN_VALUE, 0, 0, SECCOMP_RET_ALLOW},
    {RETURN_VALUE, 0, 0, SECCOMP_RET_TRACE},
};

/* _LINUX_CAPABILITY_VERSION_3, include/uapi/linux/capability.h: low halves of the three sets, then the high ones. */
#define CAPABILITY_VERSION_3 0x20080522u
struct capability_header {
  uint32_t version;
  int pid;
};
struct capability_sets {
  uint32_t effective, permitted, inheritable;
};

bool has_filters(void) {
  /* A kernel without CONFIG_SECCOMP_FILTER knows no such mode; any other looks for the filter first. */
  return CALL3(SYS_prctl, PR_SET_SECCOMP, SECCOMP_MODE_FILTER, NULL) != -EINVAL;
}

static void install_filter(void) {
  struct filter_program program = {sizeof FILTER / sizeof *FILTER, FILTER};
  long result = CALL3(SYS_prctl, PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program);
  if (result == -EACCES) {
    /* Without CAP_SYS_ADMIN the kernel takes filters only of processes that cannot gain privileges any more. */
    result = system_call(SYS_prctl, PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0, 0);
    if (result == 0) result = CALL3(SYS_prctl, PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program);
  }
  if (result < 0) give_up("its bpf(2) calls cannot be watched (seccomp)", NULL, -result);
}

/* What it may do, for programs that it starts too: root gets what the bounding set holds, others get the ambient set. */
static void take_credentials(const struct command *command) {
  struct capability_header header = {CAPABILITY_VERSION_3, 0};
  struct capability_sets sets[2];
  long result = CALL2(SYS_capget, &header, sets);
  if (result < 0) give_up("no capabilities (capget)", NULL, -result);
  uint64_t kept = (uint64_t)sets[1].permitted << 32 | sets[0].permitted;
  if (command->has_capabilities) kept &= command->capabilities;

  system_call(SYS_prctl, PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0, 0);
  for (int i = 0; i < 64 && command->has_capabilities; i++) {
    if ((kept >> i & 1) != 0 || CALL2(SYS_prctl, PR_CAPBSET_READ, i) != 1) continue;
    result = CALL2(SYS_prctl, PR_CAPBSET_DROP, i);
    if (result < 0) give_up("its capabilities cannot be taken away (prctl)", NULL, -result);
  }
  if (command->has_user) {
    CALL2(SYS_prctl, PR_SET_KEEPCAPS, 1); /* or a change from root would take all of them */
    result = CALL3(SYS_setresuid, command->user, command->user, command->user);
    if (result < 0) give_up("it cannot become that user (setresuid)", NULL, -result);
  }
  for (int half = 0; half < 2; half++) {
    uint32_t part = (uint32_t)(kept >> 32 * half);
    sets[half] = (struct capability_sets){part, part, part};
  }
  result = CALL2(SYS_capset, &header, sets);
  if (result < 0) give_up("its capabilities cannot be set (capset)", NULL, -result);
  if (!command->has_user || command->user == 0) return;
  for (int i = 0; i < 64; i++) {
    if ((kept >> i & 1) == 0) continue;
    result = system_call(SYS_prctl, PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, i, 0, 0, 0);
    if (result < 0) give_up("its capabilities cannot be passed on (prctl)", NULL, -result);
  }
}

_Noreturn void become(const struct command *command) {
  if (command->is_filtered) install_filter();
  if (command->has_user || command->has_capabilities) take_credentials(command);
  long result = CALL3(SYS_execve, command->argv[0], command->argv, command->environment);
  give_up("the command cannot be started:", command->argv[0], -result);
}
