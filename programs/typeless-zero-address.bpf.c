// __per_cpu_start is at address 0 on x86-64 before 6.15. That is its address: not a missing symbol, and not one that
// kptr_restrict hides. A loader that takes 0 for "hidden" refuses a good object.
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

extern void __per_cpu_start __ksym;

__u64 address = 1;

SEC("socket")
int typeless_zero_address(struct __sk_buff *skb)
{
	/* Testing it for 0 here would not do: clang takes the address of a strong symbol for non-zero and drops the test. */
	address = (__u64)&__per_cpu_start;
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
