// Several static functions of the kernel are named s_show. A loader that took the first would be right by luck.
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

extern void s_show __ksym;

__u64 address;

SEC("socket")
int typeless_ambiguous(struct __sk_buff *skb)
{
	address = (__u64)&s_show;
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
