#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

extern const int bpf_prog_active __ksym;

int active = -1;

SEC("raw_tp")
int first(void *ctx)
{
	const int *here = bpf_this_cpu_ptr(&bpf_prog_active);

	active = *here;
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
