// A pointer to a struct that is declared, but not described. The kernel's variable points to the same struct, and yet the
// types are not compatible: a forward declaration is a kind of its own in BTF. It happens unnoticed as well, since
// clang writes only a forward declaration for a struct none of whose fields is accessed.
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct task_struct;

extern struct task_struct *const ksoftirqd __ksym;

__u64 task;

SEC("tc")
int typed_forward_declared(struct __sk_buff *skb)
{
	struct task_struct *const *pointer = bpf_this_cpu_ptr(&ksoftirqd);

	task = (__u64)*pointer;
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
