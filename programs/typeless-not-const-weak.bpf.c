// Weak typeless ksyms declared without const, one that the kernel has and one that no kernel has.
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

extern void bpf_link_fops __ksym __weak;
extern void ksym_matrix_no_such_symbol __ksym __weak;

__u64 present;
__u64 missing = 1;

SEC("socket")
int typeless_not_const_weak(struct __sk_buff *skb)
{
	present = (__u64)&bpf_link_fops;
	missing = (__u64)&ksym_matrix_no_such_symbol;
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
