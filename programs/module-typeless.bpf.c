// Typeless ksyms in a module: a function and a per-CPU variable by their addresses in /proc/kallsyms. No BTF is asked.
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

extern const void bpf_testmod_test_read __ksym;
extern const void bpf_testmod_ksym_percpu __ksym;

__u64 function;
__u64 variable;

SEC("tc")
int module_typeless(struct __sk_buff *skb)
{
	function = (__u64)&bpf_testmod_test_read;
	variable = (__u64)&bpf_testmod_ksym_percpu;
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
