// `jiffies` with its type. Kernels list only per-CPU variables in their BTF, so the most obvious typed ksym of all
// cannot be found on any of them; declared `void` it can (see typeless-data).
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

extern const unsigned long jiffies __ksym;

__u64 value;

SEC("tc")
int typed_jiffies(struct __sk_buff *skb)
{
	value = jiffies;
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
