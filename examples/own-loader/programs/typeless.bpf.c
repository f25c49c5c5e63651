// The address of a kernel symbol, from /proc/kallsyms.
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

extern const void bpf_link_fops __ksym;

__u64 address;

SEC("xdp")
int typeless(struct xdp_md *ctx)
{
	address = (__u64)&bpf_link_fops;
	return XDP_PASS;
}

char LICENSE[] SEC("license") = "GPL";
