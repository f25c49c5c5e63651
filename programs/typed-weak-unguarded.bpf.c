// A weak typed ksym that is missing, passed to a helper without a test for NULL: the verifier refuses the constant 0
// where it wants a per-CPU pointer. Weak alone does not make a program portable; the test does.
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

extern const int ksym_matrix_no_such_variable __ksym __weak;

__u32 value;

SEC("raw_tp")
int typed_weak_unguarded(void *ctx)
{
	const int *pointer = bpf_this_cpu_ptr(&ksym_matrix_no_such_variable);

	value = *pointer;
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
