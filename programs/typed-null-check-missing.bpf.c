// bpf_per_cpu_ptr() is NULL for a CPU number beyond the last: its result must be tested before it is read.
// bpf_this_cpu_ptr() cannot fail and needs no test (see typed-int-percpu).
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

extern const int bpf_prog_active __ksym;

__u32 value;

SEC("tc")
int typed_null_check_missing(struct __sk_buff *skb)
{
	const int *pointer = bpf_per_cpu_ptr(&bpf_prog_active, bpf_get_smp_processor_id());

	value = *pointer;
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
