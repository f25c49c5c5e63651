/* The command line: observer --record FILE [--user N] [--capabilities HEXMASK] -- COMMAND [ARGUMENT...] */
#include "observer.h"

__asm__(".globl _start\n"
        "_start:\n"
        "  xor %ebp, %ebp\n"
        "  mov %rsp, %rdi\n"
        "  and $-16, %rsp\n"
        "  call observer_main\n"
        "  ud2\n");

/* clang may call these for struct copies, libc or not. */
void *memcpy(void *to, const void *from, size_t length) {
  copy_bytes(to, from, length);
  return to;
}

void *memset(void *to, int value, size_t length) {
  for (volatile unsigned char *at = to; length > 0; length--) *at++ = (unsigned char)value;
  return to;
}

bool same_text(const char *one, const char *other) {
  while (*one != 0 && *one == *other) one++, other++;
  return *one == *other;
}

static size_t text_length(const char *text) {
  size_t length = 0;
  while (text[length] != 0) length++;
  return length;
}

static void say(const char *text) { write_some(2, text, text_length(text)); }

_Noreturn void give_up(const char *what, const char *about, long error) {
  char number[12];
  size_t at = sizeof number;
  number[--at] = 0;
  do number[--at] = (char)('0' + error % 10);
  while ((error /= 10) > 0);
  say("observer: ");
  say(what);
  if (about != NULL) {
    say(" ");
    say(about);
  }
  if (!same_text(number + at, "0")) {
    say(": errno ");
    say(number + at);
  }
  say("\n");
  exit_now(EXIT_NOT_OBSERVED);
}

static uint64_t read_number(const char *text, unsigned base, uint64_t limit) {
  uint64_t value = 0;
  if (base == 16 && text[0] == '0' && text[1] == 'x') text += 2;
  if (*text == 0) give_up("a number is missing", NULL, 0);
  for (const char *at = text; *at != 0; at++) {
    unsigned digit = *at >= '0' && *at <= '9' ? (unsigned)(*at - '0') : *at >= 'a' && *at <= 'f' ? (unsigned)(*at - 'a') + 10 : 16;
    if (digit >= base || value > (limit - digit) / base) give_up("this is not such a number:", text, 0);
    value = value * base + digit;
  }
  return value;
}

__attribute__((used)) _Noreturn void observer_main(char **stack) {
  long count = (long)stack[0];
  char **argv = stack + 1;
  const char *record = NULL;
  struct command command = {.environment = argv + count + 1};
  char **at = argv + 1;
  for (; *at != NULL && !same_text(*at, "--"); at += 2) {
    if (at[1] == NULL) give_up("an option without a value:", *at, 0);
    if (same_text(*at, "--record")) {
      record = at[1];
    } else if (same_text(*at, "--user")) {
      command.has_user = true;
      command.user = (uint32_t)read_number(at[1], 10, 0xfffffffe);
    } else if (same_text(*at, "--capabilities")) {
      command.has_capabilities = true;
      command.capabilities = read_number(at[1], 16, ~0ull);
    } else {
      give_up("there is no such option:", *at, 0);
    }
  }
  if (record == NULL || *at == NULL || at[1] == NULL)
    give_up("usage: --record FILE [--user N] [--capabilities HEXMASK] -- COMMAND [ARGUMENT...]", NULL, 0);
  command.argv = at + 1;
  command.is_filtered = has_filters();
  open_record(record);

  /* The child waits until it is traced: a byte comes through the pipe then. */
  int pipe[2];
  long result = CALL2(SYS_pipe2, pipe, O_CLOEXEC);
  if (result < 0) give_up("no pipe", NULL, -result);
  long child = CALL1(SYS_clone, SIGCHLD); /* without a stack of its own and without sharing: a fork */
  if (child < 0) give_up("no process for the command", NULL, -child);
  char go = 0;
  if (child == 0) {
    close_fd(pipe[1]);
    if (read_some(pipe[0], &go, 1) != 1) exit_now(EXIT_NOT_OBSERVED);
    become(&command);
  }
  close_fd(pipe[0]);
  long options = PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK | PTRACE_O_TRACECLONE | PTRACE_O_TRACEEXEC |
                 PTRACE_O_TRACESECCOMP | PTRACE_O_EXITKILL;
  result = CALL4(SYS_ptrace, PTRACE_SEIZE, child, 0, options);
  if (result < 0) {
    CALL2(SYS_kill, child, SIGKILL);
    give_up("the command cannot be traced (ptrace)", NULL, -result);
  }
  write_some(pipe[1], &go, 1);
  close_fd(pipe[1]);
  exit_now(follow(child, command.is_filtered));
}
