// A weak kfunc whose address is taken, not called: the way to ask whether the kernel has it.
// As with variables, the extern is an id in the kernel's BTF where it is there, and NULL where it is missing.
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

extern void bpf_rcu_read_lock(void) __ksym __weak;

__u32 is_set = 2;

SEC("tc")
int kfunc_weak_pointer(struct __sk_buff *skb)
{
	is_set = bpf_rcu_read_lock ? 1 : 0;
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
