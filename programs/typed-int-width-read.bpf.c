// The trap in a compatible type: bpf_prog_active has 4 bytes, is declared with 8 and read as declared. The loader
// accepts the declaration, but the verifier goes by the kernel's type and refuses to read beyond it.
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

extern const unsigned long long bpf_prog_active __ksym;

__u64 value;

SEC("tc")
int typed_int_width_read(struct __sk_buff *skb)
{
	const unsigned long long *pointer = bpf_this_cpu_ptr(&bpf_prog_active);

	value = *pointer;
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
