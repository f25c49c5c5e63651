// A typeless ksym is declared `void`: the program gets the address of a kernel symbol and nothing else.
// The loader finds it in /proc/kallsyms and writes it into the instruction, so any kernel that runs BPF will do.
// Where kernel.kptr_restrict hides addresses, a strong extern must fail: libbpf loads it with address 0.
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

extern const void bpf_link_fops __ksym;

__u64 address;

SEC("socket")
int typeless_strong(struct __sk_buff *skb)
{
	address = (__u64)&bpf_link_fops;
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
