// A weak typeless ksym that the kernel does not have: the object loads and the program sees NULL.
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

extern const void ksym_matrix_no_such_symbol __ksym __weak;

__u64 address = 1;
__u32 is_set = 1;

SEC("socket")
int typeless_weak_missing(struct __sk_buff *skb)
{
	address = (__u64)&ksym_matrix_no_such_symbol;
	is_set = &ksym_matrix_no_such_symbol ? 1 : 0;
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
