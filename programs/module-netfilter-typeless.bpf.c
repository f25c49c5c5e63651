// Typeless ksyms of a module that Debian's kernels have: a function and a per-CPU variable of x_tables.
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

extern const void xt_register_table __ksym;
extern const void xt_recseq __ksym;

__u64 function;
__u64 variable;

SEC("socket")
int module_netfilter_typeless(struct __sk_buff *skb)
{
	function = (__u64)&xt_register_table;
	variable = (__u64)&xt_recseq;
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
