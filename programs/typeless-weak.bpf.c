// A weak typeless ksym that the kernel has is set like a strong one. Where its address is hidden, it is NULL, and the
// program can tell: this is how one object serves kernels with and without a symbol.
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

extern const void bpf_link_fops __ksym __weak;

__u64 address;
__u32 is_set;

SEC("socket")
int typeless_weak(struct __sk_buff *skb)
{
	address = (__u64)&bpf_link_fops;
	is_set = &bpf_link_fops ? 1 : 0;
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
