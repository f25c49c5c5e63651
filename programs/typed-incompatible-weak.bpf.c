// The same wrong type, declared weak. Where the variable is missing it is NULL; where it is there with another type,
// weak is no excuse: a program that silently got NULL would hide the mistake.
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct rq {
	int cpu;
};

extern const struct rq bpf_prog_active __ksym __weak;

__u32 is_set = 1;
__u32 value;

SEC("tc")
int typed_incompatible_weak(struct __sk_buff *skb)
{
	is_set = 0;
	if (&bpf_prog_active) {
		const struct rq *pointer = bpf_this_cpu_ptr(&bpf_prog_active);

		is_set = 1;
		value = pointer->cpu;
	}
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
