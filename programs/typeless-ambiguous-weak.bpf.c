// __weak excuses a symbol that is missing, not one that is there several times.
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

extern void s_show __ksym __weak;

__u64 address;

SEC("socket")
int typeless_ambiguous_weak(struct __sk_buff *skb)
{
	address = (__u64)&s_show;
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
