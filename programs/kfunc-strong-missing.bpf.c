// A kfunc that no kernel has, called without a test and without being weak.
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

extern int ksym_matrix_no_such_kfunc(int argument) __ksym;

SEC("tc")
int kfunc_strong_missing(struct __sk_buff *skb)
{
	return ksym_matrix_no_such_kfunc(1);
}

char LICENSE[] SEC("license") = "GPL";
