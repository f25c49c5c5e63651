// A weak typed ksym that the kernel does not have, used only behind a test for NULL: the verifier sees that the branch
// is never taken. So it must load on every kernel, also where typed ksyms cannot work at all.
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

extern const int ksym_matrix_no_such_variable __ksym __weak;

__u32 is_set = 1;
__u32 value;

SEC("tc")
int typed_weak_missing(struct __sk_buff *skb)
{
	is_set = 0;
	if (&ksym_matrix_no_such_variable) {
		const int *pointer = bpf_this_cpu_ptr(&ksym_matrix_no_such_variable);

		is_set = 1;
		value = *pointer;
	}
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
