// bpf_prog_active is an int, and here it is declared as a struct. The loader has to compare the types: the kernel only
// gets a BTF id and would hand the program an int.
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct rq {
	int cpu;
};

extern const struct rq bpf_prog_active __ksym;

__u32 value;

SEC("tc")
int typed_incompatible(struct __sk_buff *skb)
{
	const struct rq *pointer = bpf_this_cpu_ptr(&bpf_prog_active);

	value = pointer->cpu;
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
