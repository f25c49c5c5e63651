// A typeless ksym declared without const. To the kernel and to most loaders it is all the same; cilium/ebpf 0.17 to 0.22 knows typeless ksyms in
// this spelling alone.
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

extern void bpf_link_fops __ksym;

__u64 address;

SEC("socket")
int typeless_not_const(struct __sk_buff *skb)
{
	address = (__u64)&bpf_link_fops;
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
