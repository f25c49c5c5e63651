// A per-CPU variable declared `void`: the number in kallsyms is not an address that a program could read.
// It names the place in the section that is copied for each CPU: an offset near 0 on x86-64 before 6.15, an address since.
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

extern const void bpf_prog_active __ksym;

__u64 address;
__u32 is_offset;

SEC("socket")
int typeless_percpu(struct __sk_buff *skb)
{
	address = (__u64)&bpf_prog_active;
	/* No x86-64 kernel is linked below the top 2 GiB. */
	is_offset = address < 0xffffffff80000000ULL;
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
