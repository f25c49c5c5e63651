/* ksym-observer: starts a command as somebody and writes down what it asks of bpf(2). */
#pragma once
#include "interfaces.h"

#define EXIT_NOT_OBSERVED 120 /* the command never ran: standard error says why */

struct command {
  char **argv;
  char **environment;
  bool has_user;
  uint32_t user;
  bool has_capabilities;
  uint64_t capabilities; /* a bit each, by number */
  bool is_filtered;      /* stops at the calls that are recorded alone, not at every one */
};

/* Says why on standard error and ends the process. `error` is an errno, or 0. */
_Noreturn void give_up(const char *what, const char *about, long error);

/* In the child, once it is traced: takes on the user and the capabilities, and becomes the command. */
_Noreturn void become(const struct command *command);

/* Whether the kernel has seccomp filters (CONFIG_SECCOMP_FILTER). */
bool has_filters(void);

/* Follows `child` and everything it starts until it has ended; returns the exit status to end with. */
int follow(long child, bool is_filtered);

/* What a process has in its memory; how many bytes of it could be read. */
size_t read_memory(long pid, uint64_t from, void *to, size_t length);

/* The record. A record that does not fit any more is left out and counted. */
void open_record(const char *path);
void record_call(long pid, uint32_t command, uint64_t attributes, uint64_t size, int64_t result);
void finish_record(int wait_status);

/* The commands of bpf(2) that are recorded: enum bpf_cmd, include/uapi/linux/bpf.h. */
enum {
  BPF_MAP_CREATE = 0,
  BPF_PROG_LOAD = 5,
  BPF_BTF_LOAD = 18,
  BPF_BTF_GET_FD_BY_ID = 19,
};
/* The bits that are the command: BPF_COMMON_ATTRS (1 << 16, since Linux 7.1) may be set beside them. */
#define BPF_COMMAND_BITS 0xffffu

bool same_text(const char *one, const char *other);
void *memset(void *to, int value, size_t length);
