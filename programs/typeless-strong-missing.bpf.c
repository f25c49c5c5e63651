// A strong typeless ksym that the kernel does not have: the object must not load, and the error must name the extern.
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

extern void ksym_matrix_no_such_symbol __ksym;

__u64 address;

SEC("socket")
int typeless_strong_missing(struct __sk_buff *skb)
{
	address = (__u64)&ksym_matrix_no_such_symbol;
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
