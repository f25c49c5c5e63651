// A typed ksym gives read access only: a BPF program must not change the kernel's own variables.
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

extern const int bpf_prog_active __ksym;

SEC("raw_tp")
int typed_write_refused(void *ctx)
{
	int *pointer = bpf_this_cpu_ptr(&bpf_prog_active);

	*pointer = 1;
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
