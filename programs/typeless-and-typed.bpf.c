// One object with a typeless and a typed ksym: loaders that know only one kind refuse it as a whole. cilium/ebpf up to
// 0.22 answers "expected bpf_prog_active to be *Void, not *btf.Var".
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

extern const void bpf_link_fops __ksym;
extern const int bpf_prog_active __ksym;

__u64 address;
__u32 value = 100;

SEC("tc")
int typeless_and_typed(struct __sk_buff *skb)
{
	const int *pointer = bpf_this_cpu_ptr(&bpf_prog_active);

	address = (__u64)&bpf_link_fops;
	value = *pointer;
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
