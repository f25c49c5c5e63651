/* Test runs (BPF_PROG_TEST_RUN), the same for every version of libbpf. */
#ifndef TEST_RUN_H
#define TEST_RUN_H

#include <linux/bpf.h>

/*
 * Runs a loaded program once on a CPU, with the input that PROTOCOL.md says for its type. Returns 0 and what the program returned, or an errno.
 */
int test_run(int program, enum bpf_prog_type type, unsigned cpu, __u32 *returned);

#endif
