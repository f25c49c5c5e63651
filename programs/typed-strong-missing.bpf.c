// A strong typed ksym that the kernel does not have: the object must not load.
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

extern const int ksym_matrix_no_such_variable __ksym;

__u32 value;

SEC("tc")
int typed_strong_missing(struct __sk_buff *skb)
{
	const int *pointer = bpf_this_cpu_ptr(&ksym_matrix_no_such_variable);

	value = *pointer;
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
