// bpf_prog_active is an int of 4 bytes, declared here with 8. Integers of any width and sign are compatible, so this
// loads, and all is well as long as the program reads no more than the kernel has (see typed-int-width-read).
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

extern const unsigned long long bpf_prog_active __ksym;

__u32 value = 100;
__u32 value_by_address = 200;

SEC("raw_tp")
int typed_int_width(void *ctx)
{
	const int *pointer = bpf_this_cpu_ptr(&bpf_prog_active);

	value = *pointer;
	bpf_probe_read_kernel(&value_by_address, sizeof(value_by_address), pointer);
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
