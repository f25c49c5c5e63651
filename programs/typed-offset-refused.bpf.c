// The helpers take the variable itself, not a place inside it: adding an offset first is refused, adding it to what
// the helper returns is fine.
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct rq {
	int cpu;
};

extern const struct rq runqueues __ksym;

__u64 pointer;

SEC("raw_tp")
int typed_offset_refused(void *ctx)
{
	const char *variable = (const char *)&runqueues;

	/* Hides the origin of the address from the compiler, which would add the offset at compile time. */
	asm volatile("" : "+r"(variable));
	pointer = (__u64)bpf_this_cpu_ptr(variable + 8);
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
