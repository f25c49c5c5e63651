#define _GNU_SOURCE
#include "test-run.h"

#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <stdint.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define PACKET_SIZE 64
/* XDP programs may grow a packet. */
#define PACKET_HEADROOM 512
/* A raw tracepoint's context: twelve 64-bit arguments (MAX_BPF_FUNC_ARGS). */
#define ARGUMENTS_SIZE 96

static int move_to(unsigned cpu)
{
	size_t size = CPU_ALLOC_SIZE(cpu + 1);
	cpu_set_t *set = CPU_ALLOC(cpu + 1);
	int failed;

	if (!set)
		return ENOMEM;
	CPU_ZERO_S(size, set);
	CPU_SET_S(cpu, size, set);
	failed = sched_setaffinity(0, size, set);
	CPU_FREE(set);
	return failed ? errno : 0;
}

/* The members `.test_run` of struct bpf_prog_ops: these take a packet, and refuse a run without one. */
static int takes_packet(enum bpf_prog_type type)
{
	switch (type) {
	case BPF_PROG_TYPE_SOCKET_FILTER:
	case BPF_PROG_TYPE_SCHED_CLS:
	case BPF_PROG_TYPE_SCHED_ACT:
	case BPF_PROG_TYPE_XDP:
	case BPF_PROG_TYPE_CGROUP_SKB:
	case BPF_PROG_TYPE_LWT_IN:
	case BPF_PROG_TYPE_LWT_OUT:
	case BPF_PROG_TYPE_LWT_XMIT:
	case BPF_PROG_TYPE_LWT_SEG6LOCAL:
	case BPF_PROG_TYPE_FLOW_DISSECTOR:
	case BPF_PROG_TYPE_NETFILTER:
		return 1;
	default:
		return 0;
	}
}

int test_run(int program, enum bpf_prog_type type, unsigned cpu, __u32 *returned)
{
	static unsigned char packet[PACKET_SIZE], out[PACKET_SIZE + PACKET_HEADROOM];
	static unsigned char arguments[ARGUMENTS_SIZE];
	union bpf_attr attr;
	int error = move_to(cpu);

	if (error)
		return error;
	/* Not through libbpf: its calls for this have changed, and the kernel's has not. */
	memset(&attr, 0, sizeof(attr));
	attr.test.prog_fd = program;
	if (takes_packet(type)) {
		attr.test.data_in = (uintptr_t)packet;
		attr.test.data_size_in = sizeof(packet);
		attr.test.data_out = (uintptr_t)out;
		attr.test.data_size_out = sizeof(out);
		attr.test.repeat = 1;
	} else if (type == BPF_PROG_TYPE_SK_LOOKUP) {
		attr.test.repeat = 1;
	} else if (type == BPF_PROG_TYPE_RAW_TRACEPOINT || type == BPF_PROG_TYPE_RAW_TRACEPOINT_WRITABLE) {
		attr.test.ctx_in = (uintptr_t)arguments;
		attr.test.ctx_size_in = sizeof(arguments);
	}
	if (syscall(__NR_bpf, BPF_PROG_TEST_RUN, &attr, sizeof(attr.test)) < 0)
		return errno;
	*returned = attr.test.retval;
	return 0;
}
