// A weak kfunc that no kernel has, called behind a test for it: the call is dead code everywhere.
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

extern int ksym_matrix_no_such_kfunc(int argument) __ksym __weak;

__u32 called = 2;

SEC("tc")
int kfunc_weak_missing(struct __sk_buff *skb)
{
	called = 0;
	if (ksym_matrix_no_such_kfunc)
		called = ksym_matrix_no_such_kfunc(1);
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
