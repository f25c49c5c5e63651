// A typeless ksym for a module's function: text is in /proc/kallsyms whatever else is not.
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

extern const void bpf_testmod_test_read __ksym;

__u64 function;

SEC("tc")
int module_typeless_function(struct __sk_buff *skb)
{
	function = (__u64)&bpf_testmod_test_read;
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
