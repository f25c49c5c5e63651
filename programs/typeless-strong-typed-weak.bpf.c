// A strong typeless ksym beside a weak typed one that BTF does not list, though kallsyms has its name. The weak one
// must be NULL. libbpf (1.1 and later) takes its address from kallsyms, then relocates it as a BTF id, 0, and the
// kernel refuses the program; without the typeless neighbour the same extern loads.
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

extern const void bpf_link_fops __ksym;
extern const unsigned long jiffies __ksym __weak;

__u64 address;
__u32 has_jiffies = 1;

SEC("tc")
int typeless_strong_typed_weak(struct __sk_buff *skb)
{
	address = (__u64)&bpf_link_fops;
	has_jiffies = &jiffies ? 1 : 0;
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
