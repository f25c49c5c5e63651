// A symbol that no kernel has.
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

extern const void ksym_matrix_nowhere __ksym;

__u64 address;

SEC("xdp")
int missing(struct xdp_md *ctx)
{
	address = (__u64)&ksym_matrix_nowhere;
	return XDP_PASS;
}

char LICENSE[] SEC("license") = "GPL";
