// A per-CPU variable has no single place, so it cannot be read like an ordinary one: a helper has to pick the CPU.
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

extern const int bpf_prog_active __ksym;

__u32 value;

SEC("tc")
int typed_direct_dereference(struct __sk_buff *skb)
{
	value = bpf_prog_active;
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
